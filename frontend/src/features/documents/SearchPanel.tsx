/** Owns searching the passages without asking for an answer. */
import { Button, Group, Select, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import type { Hit, Span } from "./documents";

const MODES = ["hybrid", "text", "vector"] as const;

export function SearchPanel({ onOpen }: { onOpen: (span: Span) => void }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState("");
  const [mode, setMode] = useState<string>("hybrid");
  const search = useMutation({
    mutationFn: async () => {
      return (await api<{ hits: Hit[] }>("/v1/search", { method: "POST", json: { query: query.trim(), top_k: 10, mode } })).hits;
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (query.trim()) search.mutate();
  };
  return (
    <Stack gap="md">
      <form onSubmit={submit}>
        <Group gap="xs">
          <TextInput flex={1} miw={160} aria-label={t("documents.searchLabel")} placeholder={t("documents.searchHint")} value={query} onChange={(event) => setQuery(event.target.value)} />
          <Select w={150} aria-label={t("documents.mode.label")} allowDeselect={false} value={mode} onChange={(value) => setMode(value ?? "hybrid")}
            data={MODES.map((name) => ({ value: name, label: t(`documents.mode.${name}`) }))} />
          <Button type="submit" loading={search.isPending} disabled={!query.trim()}>{t("documents.search")}</Button>
        </Group>
      </form>
      {search.error && <ErrorNotice error={search.error} onRetry={() => search.mutate()} />}
      {search.data?.length === 0 && <Text size="sm" c="dimmed">{t("documents.noHits")}</Text>}
      {search.data?.map((hit, index) => (
        <UnstyledButton key={index} className="citation" onClick={() => onOpen({ ...hit, quote: undefined })}>
          <span className="citation-title"><Icon name="documents" size={15} />{hit.title}{hit.page ? ` · ${t("documents.page", { page: hit.page })}` : ""}</span>
          <span className="quote">{hit.text}</span>
        </UnstyledButton>
      ))}
    </Stack>
  );
}
