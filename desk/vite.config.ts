import { defineConfig } from "vite";

// The files have fixed names: a build of the same source gives the same bytes, which a test compares with those committed.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/flexunet/review/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: {
        entryFileNames: "desk.js",
        chunkFileNames: "[name].js",
        assetFileNames: "desk[extname]",
      },
    },
  },
});
