/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";

const gateway = process.env.OFICINA_URL ?? "http://127.0.0.1:8001";

// Paths that belong to the gateway while `npm run dev` serves the page.
const proxied = ["/v1", "/api", "/auth", "/ask", "/media", "/audio"];

// Scripts of web workers have a folder of their own: only these may compile WebAssembly (the gateway's WORKER_CSP).
const workers = "assets/worker/[name]-[hash]";

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: { "@": new URL("./src", import.meta.url).pathname },
    // ONNX Runtime's files are assets of ours; its other entry carries a copy of them inside.
    conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions],
  },
  worker: {
    format: "es",
    rolldownOptions: { output: { entryFileNames: `${workers}.js`, chunkFileNames: `${workers}.js`, assetFileNames: `${workers}[extname]` } },
  },
  build: {
    target: "es2022",
    // The content security policy allows files of this origin only, so nothing may become a data: URL.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    port: 8007,
    proxy: Object.fromEntries(proxied.map((path) => [path, { target: gateway }])),
  },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node", maxWorkers: 1 },
});
