/** Owns choosing the picture. */
import { Button, Group, TextInput } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { FileDrop } from "./FileDrop";
import type { Source } from "../source";

const WEB_ADDRESS = /^(https?:\/\/|data:image\/|\/media\/)/i;

export function SourcePicker({ active, onSource }: { active: boolean; onSource: (source: Source) => void }) {
  const { t } = useTranslation();
  const [url, setUrl] = useState("");
  const [wrong, setWrong] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const address = url.trim();
    setWrong(!WEB_ADDRESS.test(address));
    if (WEB_ADDRESS.test(address)) onSource({ kind: "url", url: address });
  };
  return (
    <div className="picker">
      <FileDrop icon="images" label={t("vision.drop")} hint={t("vision.dropHint")} accept="image/*" pasteActive={active}
        onFiles={(files) => {
          const picture = files.find((file) => file.type.startsWith("image/"));
          if (picture) onSource({ kind: "file", file: picture });
        }} />
      <form onSubmit={submit}>
        <Group align="flex-start" gap="xs" wrap="nowrap">
          <TextInput flex={1} type="text" inputMode="url" aria-label={t("vision.url")} placeholder={t("vision.urlHint")} value={url}
            error={wrong && t("vision.urlWrong")} onChange={(event) => setUrl(event.target.value)} />
          <Button type="submit" variant="default" disabled={!url.trim()}>{t("vision.use")}</Button>
        </Group>
      </form>
    </div>
  );
}
