/** Owns the status tab: services, machine, jobs, seen every two seconds. */
import { ActionIcon, Badge, Group, Progress, SimpleGrid, Text, Title, Tooltip } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { cancelJob, isFinal, useJobs } from "@/shared/api/jobs";
import { errorOf } from "@/shared/api/lists";
import type { Job } from "@/shared/api/types";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { Page } from "@/shared/components/Page";
import { formatDate, formatNumber } from "@/shared/format";
import { ModelMemory } from "./ModelMemory";
import { ServiceName } from "./ServiceName";
import { meterOf, type Service, type Status } from "./status";

const EVERY_MS = 2000;

export default function StatusTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const status = useQuery({
    queryKey: ["status"], queryFn: () => api<Status>("/api/status"), enabled: active,
    refetchInterval: active ? EVERY_MS : false, staleTime: 0,
  });
  const system = status.data?.system_info;
  return (
    <Page title={t("tabs.status")} text={t("status.text")}>
      {status.error && <ErrorNotice error={status.error} onRetry={() => void status.refetch()} />}
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="md" mb="lg">
        <Meter label={t("status.cpu")} value={system?.cpu_usage} known={status.data !== undefined} />
        <Meter label={t("status.memory")} value={system?.memory_usage} known={status.data !== undefined} />
        <Meter label={t("status.gpu")} value={system?.gpu_usage} known={status.data !== undefined} />
      </SimpleGrid>
      <Title order={2} fz={16} mb="sm">{t("status.services")}</Title>
      <div className="services">
        {Object.entries(status.data?.services ?? {}).map(([name, service]) => <ServiceCard key={name} name={name} service={service} />)}
      </div>
      {status.data?.memory && <ModelMemory memory={status.data.memory} />}
      <JobList active={active} />
    </Page>
  );
}

function Meter({ label, value, known }: { label: string; value: unknown; known: boolean }) {
  const { t, i18n } = useTranslation();
  const { percent, detail } = meterOf(value, i18n.language);
  return (
    <div className="card">
      <Group justify="space-between" mb={8}>
        <Text size="sm" c="dimmed">{label}</Text>
        <Text size="sm" fw={600}>{!known ? "…" : percent === null ? t("status.none") : `${formatNumber(percent, i18n.language)} %`}</Text>
      </Group>
      <Progress value={percent ?? 0} color={(percent ?? 0) > 90 ? "red" : undefined} aria-label={label} />
      {detail && <Text size="xs" c="dimmed" mt={6}>{detail}</Text>}
    </div>
  );
}

const COLOURS: Record<string, string> = { ready: "teal", ok: "teal", healthy: "teal", slow: "yellow", loading: "yellow", not_ready: "yellow" };

function ServiceCard({ name, service }: { name: string; service: Service }) {
  const { t, i18n } = useTranslation();
  const queue = typeof service.queue === "number" ? { running: 0, waiting: service.queue } : service.queue;
  const key = `status.state.${service.status}`;
  return (
    <article className="card service" data-service={name} data-status={service.status}>
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Text fw={600} size="sm" className="wrap"><ServiceName name={name} /> <Text span size="xs" c="dimmed" fw={400}>svc-{name}</Text></Text>
        <Badge variant="light" color={COLOURS[service.status] ?? "red"}>{i18n.exists(key) ? t(key) : service.status}</Badge>
      </Group>
      {service.reason && <Text size="xs" c="red" className="wrap">{service.reason}</Text>}
      <dl className="facts">
        <dt>{t("status.model")}</dt><dd className="ellipsis">{service.model ?? "–"}</dd>
        <dt>{t("status.device")}</dt><dd>{service.device ?? "–"}</dd>
        <dt>{t("status.latency")}</dt><dd>{service.latency_ms == null ? "–" : `${formatNumber(service.latency_ms, i18n.language, 1)} ms`}</dd>
        <dt>{t("status.queue")}</dt><dd>{queue ? t("status.queueText", { running: queue.running ?? 0, waiting: queue.waiting ?? 0 }) : "–"}</dd>
      </dl>
    </article>
  );
}

function JobList({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const jobs = useJobs({ active, intervalMs: active ? EVERY_MS : undefined });
  const queries = useQueryClient();
  const cancel = useMutation({ mutationFn: cancelJob, onSettled: () => queries.invalidateQueries({ queryKey: ["jobs"] }) });
  const list = (jobs.data ?? []).slice(0, 30);
  return (
    <section>
      <Title order={2} fz={16} mt="xl" mb="sm">{t("status.jobs")}</Title>
      {(jobs.error ?? cancel.error) && <ErrorNotice error={jobs.error ?? cancel.error} onRetry={() => void jobs.refetch()} />}
      {list.length === 0 && jobs.isSuccess && jobs.missing.map((service) => <ErrorNotice key={service} error={errorOf(jobs, service)} />)}
      {list.length === 0 && jobs.missing.length === 0 && jobs.isSuccess && <EmptyState icon="status" title={t("status.noJobs")} />}
      <div className="rows">{list.map((job) => <JobRow key={job.id} job={job} onCancel={() => cancel.mutate(job.id)} />)}</div>
    </section>
  );
}

function JobRow({ job, onCancel }: { job: Job; onCancel: () => void }) {
  const { t, i18n } = useTranslation();
  const colour = job.status === "completed" ? "teal" : job.status === "failed" ? "red" : job.status === "cancelled" ? "gray" : undefined;
  const kind = i18n.exists(`jobs.kind.${job.kind}`) ? t(`jobs.kind.${job.kind}`) : job.kind;
  return (
    <Group className="row" wrap="nowrap" gap="sm" data-job={job.id}>
      <Badge variant="light" color={colour}>{t(`jobs.${job.status}`)}</Badge>
      <div className="row-main">
        <Text size="sm" fw={500}>{kind}</Text>
        <Text size="xs" c="dimmed">{[formatDate(job.created_at, i18n.language), job.total ? t("jobs.step", { step: job.step ?? 0, total: job.total }) : null].filter(Boolean).join(" · ")}</Text>
      </div>
      {!isFinal(job) && (
        <>
          <Progress className="wide-only" w={140} value={job.percent ?? 0} animated aria-label={t(`jobs.${job.status}`)} />
          <Tooltip label={t("common.cancel")}>
            <ActionIcon variant="subtle" color="red" onClick={onCancel} aria-label={t("common.cancel")}><Icon name="close" /></ActionIcon>
          </Tooltip>
        </>
      )}
    </Group>
  );
}
