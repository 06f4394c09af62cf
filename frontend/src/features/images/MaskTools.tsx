/** Owns what goes with the brush: its size, taking back, and a mask that comes as a file. */
import { Button, FileButton, Group, Slider, Text } from "@mantine/core";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { fault, hasMask, NO_MASK, readMask, undone, type Mask, type Size } from "./mask";

interface Props {
  size: Size;
  mask: Mask;
  /** Of the brush, as a share of the picture's width. */
  radius: number;
  onRadius: (radius: number) => void;
  onMask: (mask: Mask) => void;
}

const told = ({ width, height }: Size) => `${width} × ${height}`;

export function MaskTools({ size, mask, radius, onRadius, onMask }: Props) {
  const { t } = useTranslation();
  // What was wrong with a file is of interest until the mask is another, painted or chosen.
  const [wrong, setWrong] = useState<{ text: string; beside: Mask } | null>(null);
  const refuse = (text: string) => setWrong({ text, beside: mask });
  const change = (next: Mask) => { setWrong(null); onMask(next); };
  const reset = useRef<() => void>(null);
  const take = async (file: File | null) => {
    reset.current?.();
    if (!file) return;
    try {
      const { picture, transparent } = await readMask(file);
      const found = fault(picture, size, transparent);
      if (!found) return change({ strokes: [], file: { file, picture } });
      refuse(t(`images.mask.${found}`, { mask: told(picture), picture: told(size) }));
      picture.close();
    } catch {
      refuse(t("images.mask.unreadable"));
    }
  };
  return (
    <div role="group" aria-label={t("images.mask.title")}>
      <Text size="sm" fw={600}>{t("images.mask.title")}</Text>
      <Text size="xs" c="dimmed" mb="xs">{t("images.mask.text")}</Text>
      <Group gap="xs">
        <Text size="xs" c="dimmed">{t("images.mask.brush")}</Text>
        <Slider className="brush" min={0.01} max={0.2} step={0.01} value={radius} onChange={onRadius} label={null} thumbLabel={t("images.mask.brush")} />
        <Button size="compact-sm" variant="default" leftSection={<Icon name="history" size={14} />} disabled={mask.strokes.length === 0} onClick={() => change(undone(mask))}>{t("images.mask.undo")}</Button>
        <Button size="compact-sm" variant="default" leftSection={<Icon name="close" size={14} />} disabled={!hasMask(mask)} onClick={() => change(NO_MASK)}>{t("images.mask.clear")}</Button>
        <FileButton resetRef={reset} accept="image/png,image/webp,image/gif" onChange={(file) => void take(file)} inputProps={{ "aria-label": t("images.mask.file") }}>
          {(props) => <Button {...props} size="compact-sm" variant="default" leftSection={<Icon name="upload" size={14} />}>{t("images.mask.file")}</Button>}
        </FileButton>
      </Group>
      <div aria-live="polite">
        {mask.file && <Text size="xs" mt={6} className="wrap">{t("images.mask.inUse", { name: mask.file.file.name })}</Text>}
        {wrong?.beside === mask && <Text size="xs" c="red" mt={6} role="alert">{wrong.text}</Text>}
      </div>
    </div>
  );
}
