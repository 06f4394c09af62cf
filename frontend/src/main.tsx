/** Starts the page. */
import "@mantine/core/styles.css";
import "./app/app.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { theme } from "./app/theme";
import { asApiError } from "./shared/api/errors";
import { startI18n } from "./shared/i18n";

await startI18n();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What may pass by itself is tried again, ever more slowly; a refusal is final.
      retry: (count, error) => asApiError(error).transient && count < 3,
      retryDelay: (count, error) => 1000 * (asApiError(error).retryAfterS ?? Math.min(2 ** count, 10)),
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
