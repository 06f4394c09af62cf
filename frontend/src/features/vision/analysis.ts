/** Owns the shape of svc-vision's analysis and what of it is drawn. */

export const CHANNELS = ["red", "green", "blue"] as const;
export type Channel = (typeof CHANNELS)[number];

export interface Analysis {
  width: number;
  height: number;
  mode: string;
  format?: string | null;
  mean: number;
  channel_means: Record<Channel, number>;
  /** Counts of pixels in equal bins of 0 to 255. */
  histogram: Record<Channel, number[]>;
  dominant_colours: { hex: string; name?: string; share: number }[];
}

const HEX = /^#[0-9a-f]{6}$/i;

/** Only a colour may reach a style attribute. */
export function dominantOf(analysis: Analysis): { hex: string; share: number }[] {
  return analysis.dominant_colours.filter(({ hex }) => HEX.test(hex));
}

/** An SVG path of one channel in a drawing of 256 × 100; square roots keep a flat background from flattening the rest. */
export function histogramPath(bins: number[], most: number): string {
  const points = bins.map((count, index) => {
    const x = (256 * (index + 0.5)) / bins.length;
    const y = 100 - 96 * Math.sqrt(count / Math.max(1, most));
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return `M0,100 L${points.join(" L")} L256,100 Z`;
}
