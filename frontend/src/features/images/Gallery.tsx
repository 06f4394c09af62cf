/** Owns the finished pictures and looking at one of them. */
import { Button, CopyButton as Copier, Group, Modal, Table, Text, UnstyledButton } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { ApiError } from "@/shared/api/errors";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { downloadUrl } from "@/shared/download";
import { formatDate, formatNumber } from "@/shared/format";
import { Compared } from "./Compared";
import type { Picture } from "./imageJobs";

interface GalleryProps {
  pictures: Picture[];
  onOpen: (picture: Picture) => void;
  onMissing: (id: string) => void;
}

export function Gallery({ pictures, onOpen, onMissing }: GalleryProps) {
  const { t } = useTranslation();
  // Variations need no text.
  const title = ({ prompt, sourceUrl }: Picture) => prompt || (sourceUrl ? t("images.variation") : t("images.picture"));
  return (
    <div className="gallery">
      {pictures.map((picture) => (
        <UnstyledButton key={picture.id} className="gallery-item" onClick={() => onOpen(picture)} aria-label={t("images.open", { prompt: title(picture) })}>
          <img src={picture.url} alt={title(picture)} loading="lazy" onError={() => onMissing(picture.id)} />
          <span>{title(picture)}</span>
        </UnstyledButton>
      ))}
    </div>
  );
}

interface LightboxProps extends Omit<OpenedProps, "picture"> {
  picture: Picture | null;
}

interface OpenedProps {
  picture: Picture;
  /** A request is on its way: no other begins. */
  busy: boolean;
  onClose: () => void;
  onDeleted: (id: string) => void;
  onReuse: (picture: Picture) => void;
  /** Begin from the picture; rejects when it cannot be read. */
  onEdit: (picture: Picture) => Promise<void>;
}

export function Lightbox({ picture, ...actions }: LightboxProps) {
  const { t } = useTranslation();
  return (
    <Modal opened={picture !== null} onClose={actions.onClose} size="lg" title={t("images.picture")} closeButtonProps={{ "aria-label": t("common.close") }}>
      {picture && <Opened key={picture.id} picture={picture} {...actions} />}
    </Modal>
  );
}

/** Lives as long as one picture is looked at, and so does what failed with it. */
function Opened({ picture, busy, onClose, onDeleted, onReuse, onEdit }: OpenedProps) {
  const { t, i18n } = useTranslation();
  const remove = useMutation({
    mutationFn: async (id: string) => {
      // Already gone is as good as deleted.
      await api(`/media/${id}`, { method: "DELETE" }).catch((error: unknown) => {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      });
      return id;
    },
    onSuccess: (id) => { onDeleted(id); onClose(); },
  });
  const edit = useMutation({ mutationFn: onEdit });
  const failed = remove.error ?? edit.error;
  return (
    <>
      {picture.sourceUrl ? <Compared sourceUrl={picture.sourceUrl} pictures={[picture]} />
        : <img className="lightbox" src={picture.url} alt={picture.prompt || t("images.picture")} />}
      <Text mt="md" fw={500} className="wrap">{picture.prompt}</Text>
      <Text size="xs" c="dimmed">{formatDate(picture.createdAt, i18n.language)}</Text>
      <Parameters parameters={picture.parameters} />
      {failed && <ErrorNotice error={failed} />}
      <Group mt="md" gap="xs">
        <Button leftSection={<Icon name="download" size={16} />} onClick={() => downloadUrl(picture.url, `${picture.id}.png`)}>{t("common.download")}</Button>
        <Button variant="default" leftSection={<Icon name="edit" size={16} />} loading={edit.isPending} disabled={busy} onClick={() => edit.mutate(picture)}>{t("images.editThis")}</Button>
        {picture.prompt && <Button variant="default" leftSection={<Icon name="refresh" size={16} />} onClick={() => onReuse(picture)}>{t("images.reuse")}</Button>}
        {picture.prompt && (
          <Copier value={picture.prompt}>
            {({ copied, copy }) => <Button variant="default" leftSection={<Icon name="copy" size={16} />} onClick={copy}>{copied ? t("common.copied") : t("images.copyPrompt")}</Button>}
          </Copier>
        )}
        <Button ml="auto" variant="subtle" color="red" leftSection={<Icon name="trash" size={16} />} loading={remove.isPending} onClick={() => remove.mutate(picture.id)}>{t("common.delete")}</Button>
      </Group>
    </>
  );
}

function Parameters({ parameters }: { parameters: Picture["parameters"] }) {
  const { t, i18n } = useTranslation();
  const entries = Object.entries(parameters);
  if (entries.length === 0) return null;
  const shown = (key: string, value: string | number | boolean) => {
    if (key === "decoder" && i18n.exists(`images.decoder.${value}`)) return t(`images.decoder.${value}`);
    return typeof value === "number" && value < 10_000 ? formatNumber(value, i18n.language, 2) : String(value);
  };
  return (
    <Table mt="sm" fz="xs" withRowBorders verticalSpacing={4}>
      <Table.Tbody>
        {entries.map(([key, value]) => (
          <Table.Tr key={key}><Table.Td c="dimmed" w="40%">{i18n.exists(`images.parameter.${key}`) ? t(`images.parameter.${key}`) : key}</Table.Td><Table.Td className="wrap">{shown(key, value)}</Table.Td></Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
