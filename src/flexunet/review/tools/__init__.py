"""Tools that compute on the server: lines along edges, regions grown from a click, shapes, the model."""
