/** Owns the training tab: the trainings there are, the form of a new one, one of them. */
import { Loader } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Page } from "@/shared/components/Page";
import { linkTo, NEW, useChosen } from "./chosen";
import { EMPTY, type Draft } from "./draft";
import { useTraining, useTrainingChanges, useTrainings } from "./jobs";
import { NewTraining } from "./NewTraining";
import { TrainingList } from "./TrainingList";
import { TrainingPane } from "./TrainingPane";
import { hasEnded, type Job } from "./wire";

export default function TrainingTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const list = useTrainings(active);
  const { begin } = useTrainingChanges();
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const wide = useMediaQuery("(min-width: 62em)", true, { getInitialValueInEffect: false });
  const jobs = list.data?.pages.flatMap((page) => page.data) ?? [];
  // Without a choice: what is under way, else the form.
  const chosen = useChosen() ?? jobs.find((job) => !hasEnded(job))?.id ?? NEW;
  const change = (part: Partial<Draft>) => setDraft((now) => ({ ...now, ...part }));
  const begun = (id: string) => { setDraft((now) => ({ ...now, text: "", file: null })); location.hash = linkTo(id); };
  return (
    <Page title={t("tabs.training")} text={t("training.text")}>
      <div className="training">
        <TrainingList list={list} jobs={jobs} chosen={chosen} wide={wide} />
        {list.isPending && chosen === NEW ? <Loader size="sm" /> : chosen === NEW ? (
          <NewTraining draft={draft} begin={begin} onChange={change} onBegun={begun} />
        ) : <Shown key={chosen} id={chosen} known={jobs.find(({ id }) => id === chosen)} active={active} />}
      </div>
    </Page>
  );
}

/** A training of the list, or one further down that the address names. */
function Shown({ id, known, active }: { id: string; known: Job | undefined; active: boolean }) {
  const alone = useTraining(known ? null : id);
  const job = known ?? alone.data;
  if (job) return <TrainingPane job={job} active={active} />;
  return alone.isError ? <ErrorNotice error={alone.error} onRetry={() => void alone.refetch()} /> : <Loader size="sm" />;
}
