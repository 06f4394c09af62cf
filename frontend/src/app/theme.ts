/** Owns the colours and shapes of the page. */
import { createTheme, type MantineColorsTuple } from "@mantine/core";

const petrol: MantineColorsTuple = [
  "#e9f7f5", "#d5ebe8", "#aed7d2", "#83c2bb", "#5fb0a8", "#48a49c", "#2f9189", "#1c7a76", "#14655f", "#0b4f4b",
];
const dark: MantineColorsTuple = [
  "#d4d8d8", "#b3baba", "#8f9898", "#636d6d", "#414a4a", "#343c3c", "#262d2d", "#1c2222", "#151a1a", "#0f1313",
];

export const theme = createTheme({
  primaryColor: "petrol",
  primaryShade: { light: 7, dark: 5 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { petrol, dark },
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: 'ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Code", Menlo, Consolas, monospace',
  headings: { fontWeight: "650" },
});
