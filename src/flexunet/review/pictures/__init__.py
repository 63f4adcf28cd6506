"""Images as the page draws them: 16-bit tiles at several sizes, and the windows that show them."""
