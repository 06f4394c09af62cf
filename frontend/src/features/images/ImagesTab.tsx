/** Owns the images tab: ask, watch, look, go on from what came. */
import { SegmentedControl, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { errorOf, presenceOf } from "@/shared/api/lists";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Page } from "@/shared/components/Page";
import { Compared } from "./Compared";
import { DrawForm } from "./DrawForm";
import { Gallery, Lightbox } from "./Gallery";
import { fileOf, useHidden, useImageJobs, useOrder, type Picture } from "./imageJobs";
import { NO_MASK } from "./mask";
import type { Asked, Drawing, Redrawing, Way } from "./orders";
import { RedrawForm } from "./RedrawForm";
import { RunningJob } from "./RunningJob";

const EMPTY: Drawing = { prompt: "", negativePrompt: "", size: "auto", steps: null, guidance: null, seed: null, model: null, decoder: null };
const NO_SOURCE: Redrawing = { source: null, size: null, mask: NO_MASK, strength: null, count: 1 };
const WAYS: Way[] = ["draw", "edit", "vary"];

export default function ImagesTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const [way, setWay] = useState<Way>("draw");
  const [prompt, setPrompt] = useState("");
  // Options lie folded away: what was chosen for one way must not go along with another unseen.
  const [drawings, setDrawings] = useState<Record<Way, Drawing>>({ draw: EMPTY, edit: EMPTY, vary: EMPTY });
  const [redrawing, setRedrawing] = useState(NO_SOURCE);
  const [opened, setOpened] = useState<Picture | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const { hidden, hide } = useHidden();
  const { query, running, pictures } = useImageJobs();
  const order = useOrder();
  const shown = pictures.filter((picture) => !hidden.includes(picture.id));
  const busy = order.isPending;
  const drawing = { ...drawings[way], prompt };
  const setDrawing = (next: Drawing) => { setPrompt(next.prompt); setDrawings((now) => ({ ...now, [way]: next })); };
  const send = (asked: Asked) => {
    if (busy) return;
    setFailed(null);
    order.mutate(asked);
  };
  const start = () => send({ way, drawing, redrawing });
  // A request on its way is not forgotten: its refusal must show, and no second one go out beside it.
  const forget = () => { if (!busy) order.reset(); };
  const choose = (next: Way) => { forget(); setWay(next); };
  const from = (source: File | null) => setRedrawing((now) => ({ ...now, source, size: null, mask: NO_MASK }));
  useClosed(redrawing.mask.file?.picture);
  const reuse = (picture: Picture) => {
    setDrawing({ ...drawing, prompt: picture.prompt });
    setOpened(null);
  };
  const edit = async (picture: Picture) => {
    forget();
    from(await fileOf(picture));
    setWay((now) => (now === "draw" ? "edit" : now));
    setOpened(null);
  };
  const examples = t("images.examples", { returnObjects: true }) as unknown as string[];
  const empty = way === "draw" && running.length === 0 && presenceOf(query, shown.length, "image-gen") === "none";
  const lost = query.isError || presenceOf(query, shown.length, "image-gen") === "failed";
  return (
    <Page title={t("tabs.images")} text={t("images.text")}>
      <Stack gap="md">
        <SegmentedControl className="ways" value={way} disabled={busy} onChange={(value) => choose(value as Way)} aria-label={t("images.ways")}
          data={WAYS.map((value) => ({ value, label: t(`images.way.${value}`) }))} />
        {way === "draw" ? <DrawForm drawing={drawing} busy={busy} onChange={setDrawing} onDraw={() => drawing.prompt.trim() && start()} />
          : <RedrawForm way={way} drawing={drawing} redrawing={redrawing} busy={busy} active={active} onDrawing={setDrawing}
              onSource={(source) => { forget(); from(source); }} onRedrawing={setRedrawing} onSend={start} />}
        {order.error && <ErrorNotice error={order.error} onRetry={() => order.variables && send(order.variables)} />}
        {failed !== null && <ErrorNotice error={failed} onClose={() => setFailed(null)} />}
        {lost && <ErrorNotice error={errorOf(query, "image-gen")} onRetry={() => void query.refetch()} />}
        {running.map((job) => <RunningJob key={job.id} job={job} onFailed={setFailed} />)}
        {way !== "draw" && <Result pictures={shown.filter(({ jobId }) => jobId === order.lastJobId)} onOpen={setOpened} />}
        {empty && (
          <EmptyState icon="images" title={t("images.emptyTitle")} text={t("images.emptyText")} examples={examples}
            onExample={(prompt) => setDrawing({ ...drawing, prompt })} />
        )}
        <Gallery pictures={shown} onOpen={setOpened} onMissing={hide} />
      </Stack>
      <Lightbox picture={opened} busy={busy} onClose={() => setOpened(null)} onDeleted={hide} onReuse={reuse} onEdit={edit} />
    </Page>
  );
}

/** Frees a mask's pixels once another, or none, stands in its place. */
function useClosed(picture: ImageBitmap | undefined): void {
  useEffect(() => () => picture?.close(), [picture]);
}

/** What came of the last change or variation, beside what it began from. */
function Result({ pictures, onOpen }: { pictures: Picture[]; onOpen: (picture: Picture) => void }) {
  const { t } = useTranslation();
  const [first] = pictures;
  if (!first?.sourceUrl) return null;
  return (
    <section className="card" aria-label={t("images.result")} aria-live="polite">
      <Text size="sm" fw={600} mb="xs">{t("images.result")}</Text>
      <Compared sourceUrl={first.sourceUrl} pictures={pictures} onOpen={onOpen} />
    </section>
  );
}
