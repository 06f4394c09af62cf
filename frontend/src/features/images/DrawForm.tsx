/** Owns the form that asks for a picture. */
import { Button, Stack, Textarea } from "@mantine/core";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { Advanced, onEnter } from "./Advanced";
import type { Drawing } from "./orders";

interface Props {
  drawing: Drawing;
  busy: boolean;
  onChange: (drawing: Drawing) => void;
  onDraw: () => void;
}

export function DrawForm({ drawing, busy, onChange, onDraw }: Props) {
  const { t } = useTranslation();
  const submit = (event: FormEvent) => { event.preventDefault(); onDraw(); };
  return (
    <form onSubmit={submit} className="card">
      <Stack gap="sm">
        <Textarea label={t("images.prompt")} placeholder={t("images.promptHint")} autosize minRows={2} maxRows={6} value={drawing.prompt}
          onKeyDown={onEnter(onDraw)} onChange={(event) => onChange({ ...drawing, prompt: event.target.value })} />
        <Advanced drawing={drawing} onChange={onChange} way="draw">
          <Button type="submit" loading={busy} disabled={!drawing.prompt.trim()} leftSection={<Icon name="sparkle" />}>{t("images.draw")}</Button>
        </Advanced>
      </Stack>
    </form>
  );
}
