/** Owns reading svc-vision's analysis, whose lists may come by name or by position. */

export interface Channels {
  r: number;
  g: number;
  b: number;
}

type ByChannel<T> = T[] | Record<string, T>;

export interface Analysis {
  size?: [number, number] | { width: number; height: number };
  width?: number;
  height?: number;
  mode?: string;
  mean?: number | ByChannel<number>;
  mean_per_channel?: ByChannel<number>;
  channel_means?: ByChannel<number>;
  mean_all?: number;
  mean_overall?: number;
  histogram?: ByChannel<number[]>;
  dominant_colours?: Dominant[];
  dominant_colors?: Dominant[];
}

type Dominant = string | number[] | { hex?: string; rgb?: number[]; colour?: string | number[]; color?: string | number[]; share?: number; fraction?: number; percent?: number };

export function sizeOf(analysis: Analysis): string {
  const { size } = analysis;
  const [width, height] = Array.isArray(size) ? size : [size?.width ?? analysis.width, size?.height ?? analysis.height];
  return width && height ? `${width} × ${height}` : "–";
}

export function meanOf(analysis: Analysis): { all: number | null; channels: Channels | null } {
  const perChannel = analysis.mean_per_channel ?? analysis.channel_means ?? (typeof analysis.mean === "object" ? analysis.mean : undefined);
  const all = analysis.mean_all ?? analysis.mean_overall ?? (typeof analysis.mean === "number" ? analysis.mean : null);
  return { all, channels: perChannel ? channelsOf(perChannel) : null };
}

export function histogramOf(analysis: Analysis): Record<keyof Channels, number[]> | null {
  return analysis.histogram ? channelsOf(analysis.histogram) : null;
}

function channelsOf<T>(values: ByChannel<T>): Record<keyof Channels, T> | null {
  const pick = (index: number, ...names: string[]): T | undefined =>
    Array.isArray(values) ? (values[index] ?? values[0]) : names.map((name) => values[name]).find((value) => value !== undefined);
  const [r, g, b] = [pick(0, "r", "red", "R"), pick(1, "g", "green", "G"), pick(2, "b", "blue", "B")];
  return r !== undefined && g !== undefined && b !== undefined ? { r, g, b } : null;
}

export function dominantOf(analysis: Analysis): { hex: string; share: number | null }[] {
  return (analysis.dominant_colours ?? analysis.dominant_colors ?? []).flatMap((entry) => {
    const value = typeof entry === "string" || Array.isArray(entry) ? entry : (entry.hex ?? entry.rgb ?? entry.colour ?? entry.color);
    const share = typeof entry === "string" || Array.isArray(entry) ? null : (entry.share ?? entry.fraction ?? (entry.percent !== undefined ? entry.percent / 100 : null));
    const hex = Array.isArray(value) ? `#${value.slice(0, 3).map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}` : value;
    // Only a colour may reach a style attribute.
    return hex && /^#[0-9a-f]{3,8}$/i.test(hex) ? [{ hex, share }] : [];
  });
}
