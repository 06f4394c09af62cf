/** Owns showing where in a document a citation stands. */
import { Center, Loader, Modal, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { passageOf, type Span } from "./documents";

export function PassageDialog({ span, onClose }: { span: Span | null; onClose: () => void }) {
  const { t } = useTranslation();
  const page = span?.page ? t("documents.page", { page: span.page }) : null;
  return (
    <Modal opened={span !== null} onClose={onClose} size="xl" title={[span?.title, page].filter(Boolean).join(" · ")} closeButtonProps={{ "aria-label": t("common.close") }}>
      {span && <PassageText span={span} />}
    </Modal>
  );
}

function PassageText({ span }: { span: Span }) {
  const text = useQuery({
    queryKey: ["document-text", span.document_id],
    queryFn: async () => (await api<{ text: string }>(`/v1/documents/${span.document_id}/text`)).text,
  });
  const mark = useRef<HTMLElement>(null);
  const passage = useMemo(() => (text.data === undefined ? null : passageOf(text.data, span)), [text.data, span]);
  // In braces: browsers begin to answer with a promise, which is no clean-up.
  useEffect(() => { mark.current?.scrollIntoView({ block: "center" }); }, [passage]);
  if (text.error) return <ErrorNotice error={text.error} onRetry={() => void text.refetch()} />;
  if (!passage) return <Center p="xl"><Loader /></Center>;
  return (
    <Text component="div" size="sm" className="passage pre-wrap">
      {passage.cutBefore && "… "}{passage.before}<mark ref={mark}>{passage.marked}</mark>{passage.after}{passage.cutAfter && " …"}
    </Text>
  );
}
