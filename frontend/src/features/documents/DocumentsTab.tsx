/** Owns the documents tab: bring in, ask, search, see where it stands. */
import { ActionIcon, Badge, Group, Loader, Tabs, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { Page } from "@/shared/components/Page";
import { formatBytes, formatDate } from "@/shared/format";
import { AskPanel } from "./AskPanel";
import { useDocuments, type Doc, type Span } from "./documents";
import { PassageDialog } from "./PassageDialog";
import { SearchPanel } from "./SearchPanel";
import { Uploads } from "./Uploads";

export default function DocumentsTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const [span, setSpan] = useState<Span | null>(null);
  const documents = useDocuments(active ? 10_000 : false);
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: (id: string) => api(`/v1/documents/${id}`, { method: "DELETE" }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["documents"] }),
  });
  const list = documents.data ?? [];
  return (
    <Page title={t("tabs.documents")} text={t("documents.text")}>
      <div className="documents">
        <Tabs defaultValue="ask" className="card">
          <Tabs.List grow mb="md">
            <Tabs.Tab value="ask">{t("documents.askTab")}</Tabs.Tab>
            <Tabs.Tab value="search">{t("documents.searchTab")}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="ask"><AskPanel onOpen={setSpan} /></Tabs.Panel>
          <Tabs.Panel value="search"><SearchPanel onOpen={setSpan} /></Tabs.Panel>
        </Tabs>
        <div>
          <Uploads active={active} />
          {list.length > 0 && <Title order={2} fz={15} mt="lg" mb="xs">{t("documents.list", { count: list.length })}</Title>}
          {documents.isPending && <Loader size="sm" mt="lg" aria-label={t("common.loading")} />}
          {documents.error && <ErrorNotice error={documents.error} onRetry={() => void documents.refetch()} />}
          {remove.error && <ErrorNotice error={remove.error} onClose={remove.reset} />}
          {list.length === 0 && documents.isSuccess && <EmptyState icon="documents" title={t("documents.emptyTitle")} text={t("documents.emptyText")} />}
          <div className="rows">
            {list.map((one) => <DocumentRow key={one.id} document={one} onOpen={() => setSpan({ document_id: one.id, title: one.title, start: 0, end: 0 })} onRemove={() => remove.mutate(one.id)} />)}
          </div>
        </div>
      </div>
      <PassageDialog span={span} onClose={() => setSpan(null)} />
    </Page>
  );
}

function DocumentRow({ document, onOpen, onRemove }: { document: Doc; onOpen: () => void; onRemove: () => void }) {
  const { t, i18n } = useTranslation();
  const statusKey = `documents.status.${document.status}`;
  const facts = [
    formatBytes(document.size_bytes, i18n.language),
    document.pages ? t("documents.pages", { count: document.pages }) : null,
    document.chunks ? t("documents.chunks", { count: document.chunks }) : null,
    formatDate(document.created_at, i18n.language),
  ];
  return (
    <Group className="row" wrap="nowrap" gap="sm" data-document={document.id}>
      <Icon name="documents" />
      <button type="button" className="row-main" onClick={onOpen}>
        <Text component="span" size="sm" fw={500} className="ellipsis" display="block">{document.title}</Text>
        <Text component="span" size="xs" c="dimmed" display="block">{facts.filter(Boolean).join(" · ")}</Text>
        {document.error && <Text component="span" size="xs" c="red" className="wrap">{document.error}</Text>}
      </button>
      {document.status && document.status !== "ready" && <Badge variant="light" color={document.status === "failed" ? "red" : "yellow"} size="sm">{i18n.exists(statusKey) ? t(statusKey) : document.status}</Badge>}
      <ActionIcon variant="subtle" color="red" onClick={onRemove} aria-label={t("documents.delete", { title: document.title })}><Icon name="trash" /></ActionIcon>
    </Group>
  );
}
