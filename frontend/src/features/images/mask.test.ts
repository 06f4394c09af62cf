import { describe, expect, it } from "vitest";
import { fault, hasMask, hasTransparency, NO_MASK, paint, shownSize, undone, withStroke, type Stroke } from "./mask";

const dot: Stroke = { radius: 0.1, points: [[0.5, 0.25]] };
const line: Stroke = { radius: 0.05, points: [[0, 0], [1, 0.5], [1, 1]] };

function drawn(strokes: Stroke[], width: number, height: number): string[] {
  const told: string[] = [];
  const tell = (name: string) => (...all: unknown[]) => told.push([name, ...all.slice(0, 3)].join(" "));
  const pen = {
    lineWidth: 0, lineCap: "butt" as CanvasLineCap, lineJoin: "miter" as CanvasLineJoin, beginPath: () => undefined,
    arc: tell("arc"), fill: () => told.push("fill"), moveTo: tell("move"), lineTo: tell("line"), stroke: () => told.push(`stroke ${pen.lineWidth} ${pen.lineCap}`),
  };
  paint(pen, strokes, { width, height });
  return told;
}

describe("what may change in a picture", () => {
  it("is nothing apart until something is painted, and the last stroke can be taken back", () => {
    const painted = withStroke(withStroke(NO_MASK, dot), line);
    expect([NO_MASK, painted, undone(undone(painted))].map(hasMask)).toEqual([false, true, false]);
    expect(undone(painted).strokes).toEqual([dot]);
    expect(undone(NO_MASK)).toEqual(NO_MASK);
  });

  it("is a file or strokes: painting puts the file away", () => {
    const file = { file: new File([], "m.png"), picture: {} as ImageBitmap };
    expect(withStroke({ strokes: [], file }, dot)).toEqual({ strokes: [dot], file: null });
  });

  it("lies on the same part of the picture at every size", () => {
    expect(drawn([dot], 100, 200)).toEqual(["arc 50 50 10", "fill"]);
    expect(drawn([dot], 1000, 2000)).toEqual(["arc 500 500 100", "fill"]);
  });

  it("is painted as one round line through all points", () => {
    expect(drawn([line], 100, 100)).toEqual(["arc 0 0 5", "fill", "move 0 0", "line 100 50", "line 100 100", "stroke 10 round"]);
    expect(drawn([{ radius: 0.1, points: [] }], 100, 100)).toEqual([]);
  });

  it("is shown no larger than is of use", () => {
    expect(shownSize({ width: 300, height: 200 })).toEqual({ width: 300, height: 200 });
    expect(shownSize({ width: 4096, height: 2048 })).toEqual({ width: 1024, height: 512 });
    expect(shownSize({ width: 8000, height: 1 })).toEqual({ width: 1024, height: 1 });
  });

  it("may come as a file of the picture's size that is transparent somewhere", () => {
    const picture = { width: 64, height: 32 };
    expect(fault(picture, picture, true)).toBeNull();
    expect(fault(picture, picture, false)).toBe("opaque");
    expect(fault({ width: 32, height: 64 }, picture, true)).toBe("wrongSize");
    expect(hasTransparency(new Uint8ClampedArray([0, 0, 0, 255, 9, 9, 9, 254]))).toBe(true);
    expect(hasTransparency(new Uint8ClampedArray([0, 0, 0, 255, 9, 9, 9, 255]))).toBe(false);
  });
});
