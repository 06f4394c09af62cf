/** Owns asking before something is done that cannot be undone: deleting, unless `label` says otherwise. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "./ErrorNotice";

interface Props {
  title: string;
  text: string;
  label?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

export function ConfirmDialog({ title, text, label, onConfirm, onClose }: Props) {
  const { t } = useTranslation();
  const confirm = useMutation({ mutationFn: onConfirm, onSuccess: onClose });
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ "aria-label": t("common.close") }}>
      <Stack>
        <Text size="sm">{text}</Text>
        {confirm.error && <ErrorNotice error={confirm.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t("common.cancel")}</Button>
          <Button color="red" loading={confirm.isPending} onClick={() => confirm.mutate()} data-autofocus>{label ?? t("common.delete")}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
