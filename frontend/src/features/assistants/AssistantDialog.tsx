/** Owns the form of an assistant: who it is, which model answers, its tools and files. */
import { Button, Checkbox, Group, JsonInput, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/shared/api/errors";
import { presenceOf, type Listing } from "@/shared/api/lists";
import type { Model } from "@/shared/api/types";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { ListSelect } from "@/shared/components/ListSelect";
import { usePersonas } from "@/shared/api/personas";
import { makeStore, type AssistantDraft } from "./assistants";
import { FilesField } from "./FilesField";
import type { Assistant, Tool, ToolResources } from "./wire";

interface Props {
  assistant: Assistant | null;
  list: Listing<Model>;
  models: Model[];
  onSave: (draft: AssistantDraft) => Promise<void>;
  onClose: () => void;
}

const FUNCTION_EXAMPLE = '[{"name": "get_weather", "description": "…", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]';

export function AssistantDialog({ assistant, list, models, onSave, onClose }: Props) {
  const { t } = useTranslation();
  const has = (type: Tool["type"]) => assistant?.tools.some((tool) => tool.type === type) ?? false;
  const functions = assistant?.tools.flatMap((tool) => (tool.function ? [tool.function] : [])) ?? [];
  const [text, setText] = useState({ name: assistant?.name ?? "", description: assistant?.description ?? "", instructions: assistant?.instructions ?? "" });
  const [picked, setModel] = useState(assistant?.model ?? null);
  // The list of models may come after the form was opened.
  const model = picked ?? models[0]?.id ?? null;
  const [code, setCode] = useState(has("code_interpreter"));
  const [search, setSearch] = useState(has("file_search"));
  const [functionText, setFunctionText] = useState(functions.length > 0 ? JSON.stringify(functions, null, 2) : "");
  const [files, setFiles] = useState(assistant?.tool_resources?.code_interpreter?.file_ids ?? []);
  const [toSearch, setToSearch] = useState<string[]>([]);
  const stores = assistant?.tool_resources?.file_search?.vector_store_ids ?? [];
  const saving = useMutation({
    mutationFn: async () => {
      const tools: Tool[] = [
        ...(code ? [{ type: "code_interpreter" as const }] : []), ...(search ? [{ type: "file_search" as const }] : []), ...functionsOf(functionText),
      ];
      const resources: ToolResources = {};
      if (code) resources.code_interpreter = { file_ids: files };
      if (search) resources.file_search = { vector_store_ids: toSearch.length > 0 ? [await makeStore(text.name, toSearch)] : stores };
      await onSave({ ...text, name: text.name.trim(), model: model ?? "", tools, tool_resources: resources });
    },
  });
  const submit = (event: FormEvent) => { event.preventDefault(); saving.mutate(); };
  return (
    <Modal opened onClose={onClose} size="lg" title={t(assistant ? "assistants.edit" : "assistants.new")} closeButtonProps={{ "aria-label": t("common.close") }}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          <TextInput label={t("assistants.name")} value={text.name} maxLength={256} required data-autofocus onChange={(event) => setText({ ...text, name: event.target.value })} />
          <TextInput label={t("assistants.description")} value={text.description} maxLength={512} onChange={(event) => setText({ ...text, description: event.target.value })} />
          <PersonaPicker onPick={(instructions) => setText({ ...text, instructions })} />
          <Textarea label={t("assistants.instructions")} description={t("assistants.instructionsHint")} autosize minRows={3} maxRows={10} value={text.instructions}
            onChange={(event) => setText({ ...text, instructions: event.target.value })} />
          <ListSelect from={list} count={model ? 1 : 0} service="chat" label={t("assistants.model")} data={[...new Set([...models.map((one) => one.id), ...(model ? [model] : [])])]} value={model} onChange={setModel} allowDeselect={false} />
          <Checkbox label={t("assistants.code")} description={t("assistants.codeHint")} checked={code} onChange={(event) => setCode(event.target.checked)} />
          {code && <FilesField label={t("assistants.codeFiles")} ids={files} onChange={setFiles} />}
          <Checkbox label={t("assistants.search")} description={t("assistants.searchHint")} checked={search} onChange={(event) => setSearch(event.target.checked)} />
          {search && <FilesField label={t("assistants.searchFiles")} ids={toSearch} onChange={setToSearch} />}
          {search && stores.length > 0 && toSearch.length === 0 && <Text size="xs" c="dimmed">{t("assistants.searchKept")}</Text>}
          <JsonInput label={t("assistants.functions")} description={t("assistants.functionsHint")} placeholder={FUNCTION_EXAMPLE} autosize minRows={2} maxRows={10}
            value={functionText} onChange={setFunctionText} />
          {saving.error && <ErrorNotice error={saving.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t("common.cancel")}</Button>
            <Button type="submit" loading={saving.isPending} disabled={!text.name.trim() || !model}>{t("assistants.save")}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** A persona's instructions are a start for an assistant's. */
function PersonaPicker({ onPick }: { onPick: (instructions: string) => void }) {
  const { t } = useTranslation();
  const told = usePersonas();
  const personas = told.data ?? [];
  if (presenceOf(told, personas.length) === "none") return null;
  return (
    <ListSelect from={told} count={personas.length} label={t("assistants.persona")} placeholder={t("assistants.personaHint")} clearable data={personas.map(({ id, name }) => ({ value: id, label: name }))}
      onChange={(id) => { const found = personas.find((one) => one.id === id); if (found) onPick(found.instructions || found.description || ""); }} />
  );
}

function functionsOf(text: string): Tool[] {
  if (!text.trim()) return [];
  try {
    const given = JSON.parse(text) as NonNullable<Tool["function"]>[];
    return given.map((one) => ({ type: "function", function: one }));
  } catch {
    throw new ApiError(`The functions must be a JSON list: ${FUNCTION_EXAMPLE}`, "invalid_request", 400, "chat");
  }
}
