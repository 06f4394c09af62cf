/** Owns a picture and the brush over it: what is painted may change. By mouse, pen or finger; a file does without any. */
import { useEffect, useRef, useState, type CSSProperties, type PointerEvent } from "react";
import { useTranslation } from "react-i18next";
import { paint, shownSize, withStroke, type Mask, type Size, type Stroke } from "./mask";

const TINT = "#e8309a";

interface Props {
  url: string;
  size: Size | null;
  mask: Mask;
  /** Of the brush, as a share of the picture's width. */
  radius: number;
  /** Nothing is painted over a picture that is only varied. */
  paintable: boolean;
  onMask: (mask: Mask) => void;
  /** The picture's own size; null: the browser cannot read it. */
  onSize: (size: Size | null) => void;
}

export function MaskPainter({ url, size, mask, radius, paintable, onMask, onSize }: Props) {
  const { t } = useTranslation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [making, setMaking] = useState<Stroke | null>(null);
  useEffect(() => {
    if (canvas.current) show(canvas.current, mask, making);
  }, [mask, making, size, paintable]);
  const at = (event: PointerEvent<HTMLCanvasElement>): [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const begin = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setMaking({ radius, points: [at(event)] });
  };
  const move = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!making || !event.isPrimary) return;
    const point = at(event);
    setMaking((now) => now && { ...now, points: [...now.points, point] });
  };
  const end = (event: PointerEvent) => {
    if (!event.isPrimary) return;
    if (making) onMask(withStroke(mask, making));
    setMaking(null);
  };
  return (
    <div className="painter" style={{ "--ratio": size ? size.width / size.height : 1 } as CSSProperties}>
      <img src={url} alt={t("images.source")} draggable={false} onError={() => onSize(null)}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => onSize({ width: naturalWidth, height: naturalHeight })} />
      {size && paintable && (
        <canvas ref={canvas} {...shownSize(size)} role="img" aria-label={t("images.mask.canvas", { count: mask.strokes.length })}
          onPointerDown={begin} onPointerMove={move} onPointerUp={end} onPointerCancel={(event) => event.isPrimary && setMaking(null)} />
      )}
    </div>
  );
}

function show(canvas: HTMLCanvasElement, { strokes, file }: Mask, making: Stroke | null): void {
  const { width, height } = canvas;
  const pen = canvas.getContext("2d")!;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = pen.strokeStyle = TINT;
  if (file && !making) {
    pen.fillRect(0, 0, width, height);
    pen.globalCompositeOperation = "destination-out";
    pen.drawImage(file.picture, 0, 0, width, height);
    pen.globalCompositeOperation = "source-over";
  }
  paint(pen, making ? [...strokes, making] : strokes, { width, height });
}
