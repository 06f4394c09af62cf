/** Owns a picture beside the one that it began from. */
import { UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Picture } from "./imageJobs";

interface Props {
  sourceUrl: string;
  /** What came of it: one picture, or all of one request. */
  pictures: Picture[];
  onOpen?: (picture: Picture) => void;
}

export function Compared({ sourceUrl, pictures, onOpen }: Props) {
  const { t } = useTranslation();
  const [gone, setGone] = useState(false);
  return (
    <div className="compared">
      {!gone && <figure><img src={sourceUrl} alt={t("images.source")} onError={() => setGone(true)} /><figcaption>{t("images.before")}</figcaption></figure>}
      {pictures.map((picture, index) => {
        const title = pictures.length > 1 ? t("images.afterOf", { number: index + 1 }) : t("images.after");
        const drawn = <img src={picture.url} alt={picture.prompt || t("images.variation")} />;
        return (
          <figure key={picture.id}>
            {onOpen ? <UnstyledButton onClick={() => onOpen(picture)} aria-label={t("images.open", { prompt: title })}>{drawn}</UnstyledButton> : drawn}
            <figcaption>{title}</figcaption>
          </figure>
        );
      })}
    </div>
  );
}
