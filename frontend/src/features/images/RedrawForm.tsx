/** Owns the form that begins from a picture: a change of it, by words and a mask, or pictures like it. */
import { Button, Group, SimpleGrid, Stack, Text, Textarea } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/shared/api/errors";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { FileDrop } from "@/shared/components/FileDrop";
import { Icon } from "@/shared/components/Icon";
import { NumberField } from "@/shared/components/NumberField";
import { formatNumber } from "@/shared/format";
import { useShownUrl } from "@/shared/source";
import { Advanced, BELOW, onEnter } from "./Advanced";
import { hasMask, type Mask, type Size } from "./mask";
import { MaskPainter } from "./MaskPainter";
import { MaskTools } from "./MaskTools";
import { usualStrength, type Drawing, type Redrawing, type Way } from "./orders";

const COUNT_MOST = 4;

/** What is told after a while, as a mask that was read, must not undo what was chosen meanwhile. */
type Change = (now: Redrawing) => Redrawing;

interface Props {
  way: Exclude<Way, "draw">;
  drawing: Drawing;
  redrawing: Redrawing;
  busy: boolean;
  /** Take pasted pictures while the tab is the one shown. */
  active: boolean;
  onDrawing: (drawing: Drawing) => void;
  onSource: (source: File | null) => void;
  onRedrawing: (change: Change) => void;
  onSend: () => void;
}

export function RedrawForm({ way, drawing, redrawing, busy, active, onDrawing, onSource, onRedrawing, onSend }: Props) {
  const { t } = useTranslation();
  const ready = redrawing.size !== null && (way === "vary" || drawing.prompt.trim() !== "");
  const submit = (event: FormEvent) => { event.preventDefault(); if (ready) onSend(); };
  const text = way === "edit" ? t("images.change") : t("images.optionalPrompt");
  return (
    <form onSubmit={submit} className="card">
      <Stack gap="sm">
        <SourceField way={way} redrawing={redrawing} active={active} onSource={onSource} onChange={onRedrawing} />
        <Textarea label={text} placeholder={t("images.changeHint")} autosize minRows={2} maxRows={6} value={drawing.prompt}
          onKeyDown={onEnter(() => ready && onSend())} onChange={(event) => onDrawing({ ...drawing, prompt: event.target.value })} />
        <Amounts way={way} redrawing={redrawing} onChange={onRedrawing} />
        <Advanced drawing={drawing} onChange={onDrawing} way={way}>
          <Button type="submit" loading={busy} disabled={!ready} leftSection={<Icon name={way === "edit" ? "edit" : "sparkle"} />}>{way === "edit" ? t("images.edit") : t("images.vary")}</Button>
        </Advanced>
      </Stack>
    </form>
  );
}

interface FieldProps {
  way: Exclude<Way, "draw">;
  redrawing: Redrawing;
  onChange: (change: Change) => void;
}

function SourceField({ way, redrawing, active, onSource, onChange }: FieldProps & Pick<Props, "active" | "onSource">) {
  const { t } = useTranslation();
  const [radius, setRadius] = useState(0.06);
  const [broken, setBroken] = useState(false);
  const { source, size, mask } = redrawing;
  const shown = useShownUrl(source && { kind: "file", file: source });
  const take = (file: File | null) => { setBroken(false); onSource(file); };
  const ofThis = (part: { size: Size } | { mask: Mask }) => onChange((now) => (now.source === source ? { ...now, ...part } : now));
  if (!source || !shown) {
    return (
      <Stack gap="sm">
        {broken && !source && <ErrorNotice error={new ApiError("", "invalid_image", 400, "images")} onClose={() => setBroken(false)} />}
        <FileDrop icon="images" label={t("images.drop")} hint={t("vision.dropHint")} accept="image/*" pasteActive={active}
          onFiles={(files) => take(files.find((file) => file.type.startsWith("image/")) ?? null)} />
      </Stack>
    );
  }
  const measured = (read: typeof size) => { if (read) ofThis({ size: read }); else { take(null); setBroken(true); } };
  return (
    <div className="redraw">
      <MaskPainter url={shown} size={size} mask={mask} radius={radius} paintable={way === "edit"} onMask={(next) => ofThis({ mask: next })} onSize={measured} />
      <Stack gap="sm" className="redraw-side">
        <Group gap="xs" justify="space-between" wrap="nowrap">
          <Text size="xs" c="dimmed" className="ellipsis">{source.name}{size ? ` · ${size.width} × ${size.height}` : ""}</Text>
          <Button size="compact-sm" variant="default" flex="none" leftSection={<Icon name="refresh" size={14} />} onClick={() => take(null)}>{t("images.other")}</Button>
        </Group>
        {way === "edit" && size && <MaskTools size={size} mask={mask} radius={radius} onRadius={setRadius} onMask={(next) => ofThis({ mask: next })} />}
      </Stack>
    </div>
  );
}

function Amounts({ way, redrawing, onChange }: FieldProps) {
  const { t, i18n } = useTranslation();
  const usual = formatNumber(usualStrength(way, hasMask(redrawing.mask)), i18n.language, 2);
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
      <NumberField label={t("images.strength")} description={t("images.strengthHint")} inputWrapperOrder={BELOW} placeholder={`${t("common.automatic")} (${usual})`}
        min={0.05} max={1} step={0.05} decimalScale={2} value={redrawing.strength}
        onChange={(strength) => onChange((now) => ({ ...now, strength }))} />
      <NumberField label={t("images.count")} min={1} max={COUNT_MOST} placeholder="1" allowDecimal={false} clampBehavior="strict" value={redrawing.count}
        onChange={(count) => onChange((now) => ({ ...now, count }))} />
    </SimpleGrid>
  );
}
