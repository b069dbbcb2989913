const PATHS = {
  home: "M2.5 7.5 8 3l5.5 4.5V13a.8.8 0 0 1-.8.8H3.3a.8.8 0 0 1-.8-.8zM6.3 13.8V9.5h3.4v4.3",
  flask: "M6 2.2h4M6.8 2.2v4L3 12.3a1 1 0 0 0 .9 1.5h8.2a1 1 0 0 0 .9-1.5L9.2 6.2v-4M5 9.8h6",
  graph: "M2.2 6.2h3.6v3.6H2.2zM10.2 2.2h3.6v3.6h-3.6zM10.2 10.2h3.6v3.6h-3.6zM5.8 8h2.2M8 4v8M8 4h2.2M8 12h2.2",
  box: "M8 1.8 13.6 5v6L8 14.2 2.4 11V5zM2.6 5.1 8 8.2l5.4-3.1M8 8.2v6",
  table: "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.6h11M6.2 3v10",
  pulse: "M1.5 8.5h3l2-5.5 3 10 2-4.5h3",
  bell: "M8 2a4 4 0 0 0-4 4c0 4-1.6 5-1.6 5h11.2S12 10 12 6a4 4 0 0 0-4-4zM6.6 13.5a1.6 1.6 0 0 0 2.8 0",
  check: "M8 1.8 13 3.8v4c0 3.2-2.2 5.4-5 6.4-2.8-1-5-3.2-5-6.4v-4zM5.8 7.9l1.6 1.6 2.9-3",
  trace: "M3.8 5.6a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM12.2 14a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM5.6 3.8h4.2a2.1 2.1 0 0 1 0 4.2H6.2a2.1 2.1 0 0 0 0 4.2h4.2",
  chain: "M6.5 9.5l3-3M7.2 4.6l1.3-1.3a3 3 0 0 1 4.2 4.2l-1.3 1.3M8.8 11.4l-1.3 1.3a3 3 0 0 1-4.2-4.2l1.3-1.3",
  coin: "M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM10 6c-.3-.8-1-1.2-2-1.2s-2 .5-2 1.5c0 2.2 4 1.2 4 3.4 0 1-.9 1.5-2 1.5s-1.8-.4-2.1-1.2M8 3.8v1M8 11.2v1",
  people: "M6 8a2.3 2.3 0 1 0 0-4.6A2.3 2.3 0 0 0 6 8zM1.8 13c.3-2.2 2-3.4 4.2-3.4s3.9 1.2 4.2 3.4M10.6 3.6a2.2 2.2 0 0 1 0 4.2M11.6 9.8c1.5.4 2.4 1.5 2.6 3.2",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7.5V13H5.5zM3.5 10.5H3V3h7.5v.5",
  done: "M3 8.5l3.2 3.2L13 5",
  fail: "M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM8 5v3.5M8 10.8v.2",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  folder: "M2 4h4l1.4 1.6H14V13H2z",
  up: "M8 12.5v-9M4.5 7 8 3.5 11.5 7",
  down: "M8 3.5v9M4.5 9 8 12.5 11.5 9",
} as const;

export type IconName = keyof typeof PATHS;

/** A line icon; always beside words, so hidden from readers. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
