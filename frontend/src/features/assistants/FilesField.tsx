/** Owns a list of files at the server that a form refers to: send, name, take out. */
import { ActionIcon, Button, FileButton, Group, Input, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatBytes } from "@/shared/format";
import { sendFile, useFile } from "./assistants";

export function FilesField({ label, ids, onChange }: { label: string; ids: string[]; onChange: (ids: string[]) => void }) {
  const { t } = useTranslation();
  const sending = useMutation({
    mutationFn: async (files: File[]) => {
      const sent: string[] = [];
      for (const file of files) sent.push((await sendFile(file)).id);
      return sent;
    },
    onSuccess: (sent) => onChange([...ids, ...sent]),
  });
  return (
    <Input.Wrapper label={label} labelElement="div" ml={28}>
      <div className="rows">
        {ids.map((id) => <FileRow key={id} id={id} onRemove={() => onChange(ids.filter((other) => other !== id))} />)}
      </div>
      {sending.error && <ErrorNotice error={sending.error} onClose={sending.reset} />}
      <FileButton multiple onChange={(files) => files.length > 0 && sending.mutate(files)} inputProps={{ "aria-label": label }}>
        {(props) => <Button {...props} mt={6} size="xs" variant="default" leftSection={<Icon name="upload" size={15} />} loading={sending.isPending}>{t("assistants.addFile")}</Button>}
      </FileButton>
    </Input.Wrapper>
  );
}

export function FileRow({ id, onRemove }: { id: string; onRemove: () => void }) {
  const { t, i18n } = useTranslation();
  const file = useFile(id).data;
  const name = file?.filename ?? id;
  return (
    <Group className="row" wrap="nowrap" gap="sm" data-file={id}>
      <Icon name="documents" />
      <Text size="sm" className="ellipsis" flex={1}>{name}</Text>
      {file && <Text size="xs" c="dimmed">{formatBytes(file.bytes, i18n.language)}</Text>}
      <ActionIcon variant="subtle" color="red" size="sm" onClick={onRemove} aria-label={t("assistants.removeFile", { name })}><Icon name="close" size={15} /></ActionIcon>
    </Group>
  );
}
