/** Owns the page's line icons: drawn here so that no icon package has to be fetched. */

const PATHS = {
  chat: "M4 5h16v11H10l-4.5 4v-4H4z",
  assistants: "M6 8h12v9H6z M12 8V4.500 M9.500 12h.01 M14.500 12h.01 M9.500 20h5 M3.500 11v3 M20.500 11v3",
  images: "M4 5h16v14H4z M4 16l5-5 4 4 3-3 4 4 M15.5 9.5h.01",
  vision: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z M12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  translate: "M3 6h10 M8 4v2 M11 6c-1 4-4 7-7.5 8.5 M5.5 9.5c1.2 2.2 3.2 4 5.5 5 M12 20l4.5-10L21 20 M13.5 17h6",
  speech: "M4 10v4h3.5L12 18V6L7.5 10z M15.5 9a4.2 4.2 0 0 1 0 6 M18 6.5a8 8 0 0 1 0 11",
  documents: "M6 3h8l4 4v14H6z M14 3v4h4 M9 12h6 M9 16h6",
  training: "M2.500 9.500L12 5l9.500 4.500L12 14z M6.500 11.500v4.500c0 1.700 2.500 3 5.500 3s5.500-1.300 5.500-3v-4.500 M21.500 9.500v5",
  browser: "M3 5h18v14H3z M3 9.500h18 M6 7.300h.01 M8.500 7.300h.01 M10 12l4 2.300-4 2.300z",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9z M4 7.5l8 4.5 8-4.5 M12 12v9",
  status: "M3 12h4l3-7 4 14 3-7h4",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2.5v2 M12 19.5v2 M2.5 12h2 M19.5 12h2 M5.3 5.3l1.4 1.4 M17.3 17.3l1.4 1.4 M18.7 5.3l-1.4 1.4 M6.7 17.3l-1.4 1.4",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4 7 7 0 0 0 20 14.5z",
  auto: "M4 5h16v11H4z M9 20h6 M12 16v4",
  menu: "M4 7h16 M4 12h16 M4 17h16",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M4.5 20.5c.8-4 3.8-6 7.5-6s6.700 2 7.500 6",
  key: "M8 12a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M11 13l8-8 M16 8l3 3",
  send: "M12 19V5 M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h11v11H9z M5 15H4V4h11v1",
  check: "M5 12.500l4.500 4.500L19 7.500",
  refresh: "M20 11a8 8 0 1 0-2.300 6.200 M20 5v6h-6",
  trash: "M5 7h14 M10 7V4h4v3 M7 7l1 13h8l1-13",
  plus: "M12 5v14 M5 12h14",
  close: "M6 6l12 12 M18 6L6 18",
  download: "M12 4v11 M7 10.500l5 5 5-5 M5 20h14",
  upload: "M12 20V9 M7 13.500l5-5 5 5 M5 4h14",
  settings: "M4 7h9 M17 7h3 M15 5v4 M4 12h3 M11 12h9 M9 10v4 M4 17h9 M17 17h3 M15 15v4",
  history: "M4 12a8 8 0 1 0 2.500-5.800L4 8.500 M4 4v4.500h4.500 M12 8v4.500l3 2",
  swap: "M4 9h15 M15 5l4 4-4 4 M20 15H5",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z M16 16l4.500 4.500",
  alert: "M12 4l9 16H3z M12 10v4.500 M12 17.300h.01",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z M12 11v5.500 M12 7.800h.01",
  sparkle: "M12 4l1.800 5.200L19 11l-5.200 1.800L12 18l-1.800-5.200L5 11l5.200-1.800z M19 16v4 M17 18h4",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z M3 12h18 M12 3c3 3 3.500 6 3.500 9s-.500 6-3.500 9c-3-3-3.500-6-3.500-9s.500-6 3.500-9z",
  logout: "M14 4H5v16h9 M10 12h11 M17 8l4 4-4 4",
  down: "M12 5v14 M6 13l6 6 6-6",
  more: "M5 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2z M12 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2z M19 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2z",
  edit: "M4 20h4L19 9l-4-4L4 16z M13.500 6.500l4 4",
  external: "M9 5H5v14h14v-4 M13 5h6v6 M19 5l-9 9",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.7}
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
