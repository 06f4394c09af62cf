/** Owns the list of trainings: links beside the one that is shown when wide, a picker above it when narrow. */
import { Button, NativeSelect, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatDate } from "@/shared/format";
import { linkTo, NEW } from "./chosen";
import type { useTrainings } from "./jobs";
import { TrainingState } from "./TrainingState";
import { titleOf, type Job } from "./wire";

interface Props {
  list: ReturnType<typeof useTrainings>;
  jobs: Job[];
  chosen: string;
  wide: boolean;
}

export function TrainingList({ list, jobs, chosen, wide }: Props) {
  const { t, i18n } = useTranslation();
  const more = list.hasNextPage && (
    <Button variant="subtle" size="compact-sm" fullWidth loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t("chat.more")}</Button>
  );
  const problem = list.isError && <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />;
  if (!wide) {
    const known = chosen === NEW || jobs.some(({ id }) => id === chosen);
    return (
      <div className="rows">
        {problem}
        <NativeSelect label={t("training.list")} value={chosen} onChange={(event) => { location.hash = linkTo(event.target.value); }}
          data={[{ value: NEW, label: t("training.new") }, ...(known ? [] : [{ value: chosen, label: chosen }]),
            ...jobs.map((job) => ({ value: job.id, label: `${titleOf(job)} · ${t(`training.state.${job.status}`)} · ${formatDate(job.created_at, i18n.language)}` }))]} />
        {more}
      </div>
    );
  }
  return (
    <nav className="history" aria-label={t("training.list")}>
      <Button component="a" href={linkTo(NEW)} variant="light" fullWidth leftSection={<Icon name="plus" size={16} />}>{t("training.new")}</Button>
      {problem}
      {list.isSuccess && jobs.length === 0 && <Text size="sm" c="dimmed" mt="sm">{t("training.none")}</Text>}
      <ul>
        {jobs.map((job) => (
          <li key={job.id} data-current={job.id === chosen || undefined} data-training={job.id}>
            <a className="training-link" href={linkTo(job.id)} aria-current={job.id === chosen ? "page" : undefined}>
              <span className="ellipsis">{titleOf(job)}</span>
              <span className="training-link-foot"><TrainingState status={job.status} /><Text span size="xs" c="dimmed">{formatDate(job.created_at, i18n.language)}</Text></span>
            </a>
          </li>
        ))}
      </ul>
      {more}
    </nav>
  );
}
