/** Owns what may change in a picture: strokes of a brush, or a file that is transparent there. Knows nothing of the form. */

export interface Size {
  width: number;
  height: number;
}

/** A stroke in shares of the picture, so that it fits at every size: x and radius of its width, y of its height. */
export interface Stroke {
  radius: number;
  points: [number, number][];
}

export interface MaskFile {
  file: File;
  picture: ImageBitmap;
}

export interface Mask {
  strokes: Stroke[];
  /** A file stands in for strokes. */
  file: MaskFile | null;
}

export const NO_MASK: Mask = { strokes: [], file: null };
const DRAWN_MOST = 1024;

export const hasMask = (mask: Mask): boolean => mask.file !== null || mask.strokes.length > 0;
export const undone = (mask: Mask): Mask => ({ ...mask, strokes: mask.strokes.slice(0, -1) });
export const withStroke = (mask: Mask, stroke: Stroke): Mask => ({ strokes: [...mask.strokes, stroke], file: null });

/** The size in which the strokes are shown: the picture's own, or less where that would only cost memory. */
export function shownSize({ width, height }: Size): Size {
  const share = Math.min(1, DRAWN_MOST / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * share)), height: Math.max(1, Math.round(height * share)) };
}

type Pen = Pick<CanvasRenderingContext2D, "beginPath" | "arc" | "fill" | "moveTo" | "lineTo" | "stroke" | "lineWidth" | "lineCap" | "lineJoin">;

/** Paint strokes with the pen's own colours. */
export function paint(pen: Pen, strokes: Stroke[], { width, height }: Size): void {
  pen.lineCap = pen.lineJoin = "round";
  for (const { radius, points } of strokes) {
    const [first, ...rest] = points;
    if (!first) continue;
    // A line that goes nowhere is not drawn, so a touch is a dot of its own.
    pen.beginPath();
    pen.arc(first[0] * width, first[1] * height, radius * width, 0, 2 * Math.PI);
    pen.fill();
    if (rest.length === 0) continue;
    pen.lineWidth = 2 * radius * width;
    pen.beginPath();
    pen.moveTo(first[0] * width, first[1] * height);
    for (const [x, y] of rest) pen.lineTo(x * width, y * height);
    pen.stroke();
  }
}

/** What the service takes: a PNG of the picture's size, transparent where it may change; null: everywhere. */
export async function maskBlob(mask: Mask, size: Size): Promise<Blob | null> {
  if (mask.file) return mask.file.file;
  if (mask.strokes.length === 0) return null;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, size);
  const pen = canvas.getContext("2d")!;
  pen.fillRect(0, 0, size.width, size.height);
  pen.globalCompositeOperation = "destination-out";
  paint(pen, mask.strokes, size);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("The browser has no memory for a mask of this size.");
  return blob;
}

/** Why a file is no mask of a picture: the key of the sentence under `images.mask`, null if it is one. */
export function fault(mask: Size, picture: Size, transparent: boolean): "wrongSize" | "opaque" | null {
  if (mask.width !== picture.width || mask.height !== picture.height) return "wrongSize";
  return transparent ? null : "opaque";
}

/** Read a file as a mask. Rejects where the browser cannot read it. */
export async function readMask(file: File): Promise<{ picture: ImageBitmap; transparent: boolean }> {
  const picture = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: picture.width, height: picture.height });
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  pen.drawImage(picture, 0, 0);
  return { picture, transparent: hasTransparency(pen.getImageData(0, 0, picture.width, picture.height).data) };
}

/** Whether some pixel of RGBA bytes is not opaque. */
export function hasTransparency(rgba: Uint8ClampedArray): boolean {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return true;
  return false;
}
