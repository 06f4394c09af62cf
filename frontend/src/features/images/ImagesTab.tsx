/** Owns the images tab: ask, watch, look. */
import { Stack } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Page } from "@/shared/components/Page";
import { DrawForm } from "./DrawForm";
import { Gallery, Lightbox } from "./Gallery";
import { useDraw, useHidden, useImageJobs, type Drawing, type Picture } from "./imageJobs";
import { RunningJob } from "./RunningJob";

const EMPTY: Drawing = { prompt: "", negativePrompt: "", size: "auto", steps: null, guidance: null, seed: null, model: null, decoder: null };

export default function ImagesTab() {
  const { t } = useTranslation();
  const [drawing, setDrawing] = useState(EMPTY);
  const [opened, setOpened] = useState<Picture | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const { hidden, hide } = useHidden();
  const { query, running, pictures } = useImageJobs();
  const draw = useDraw();
  const shown = pictures.filter((picture) => !hidden.includes(picture.id));
  const start = () => {
    if (!drawing.prompt.trim() || draw.isPending) return;
    setFailed(null);
    draw.mutate(drawing);
  };
  const reuse = (picture: Picture) => {
    setDrawing({ ...drawing, prompt: picture.prompt });
    setOpened(null);
  };
  const examples = t("images.examples", { returnObjects: true }) as unknown as string[];
  const empty = shown.length === 0 && running.length === 0 && !query.isPending && !query.isError;
  return (
    <Page title={t("tabs.images")} text={t("images.text")}>
      <Stack gap="md">
        <DrawForm drawing={drawing} busy={draw.isPending} onChange={setDrawing} onDraw={start} />
        {draw.error && <ErrorNotice error={draw.error} onRetry={start} />}
        {failed !== null && <ErrorNotice error={failed} onClose={() => setFailed(null)} />}
        {query.error && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
        {running.map((job) => <RunningJob key={job.id} job={job} onFailed={setFailed} />)}
        {empty && (
          <EmptyState icon="images" title={t("images.emptyTitle")} text={t("images.emptyText")} examples={examples}
            onExample={(prompt) => setDrawing({ ...drawing, prompt })} />
        )}
        <Gallery pictures={shown} onOpen={setOpened} onMissing={hide} />
      </Stack>
      <Lightbox picture={opened} onClose={() => setOpened(null)} onDeleted={hide} onReuse={reuse} />
    </Page>
  );
}
