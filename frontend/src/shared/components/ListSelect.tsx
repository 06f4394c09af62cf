/** Owns a choice out of a list that is asked for: it says so while the list comes, fails or has nothing, and is never just empty. */
import { ActionIcon, Loader, Select, type SelectProps, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { errorOf, presenceOf, type Listing } from "../api/lists";
import { useErrorText } from "./ErrorNotice";
import { Icon } from "./Icon";

interface Props extends SelectProps {
  from: Pick<Listing<unknown>, "isPending" | "isError" | "error" | "refetch"> & { missing?: string[] };
  /** Entries of the list that this is about. */
  count: number;
  /** The service that tells them, as the gateway names it. */
  service?: string;
  /** What stands there when there is nothing to choose. */
  none?: string;
  /** There is no room for a sentence below. */
  compact?: boolean;
}

export function ListSelect({ from, count, service, none, compact = false, ...props }: Props) {
  const { t } = useTranslation();
  const tell = useErrorText();
  const presence = presenceOf(from, count, service);
  if (presence === "there") return <Select {...props} />;
  const failed = presence === "failed";
  const title = failed ? tell(errorOf(from, service)).title : null;
  const placeholder = presence === "loading" ? t("common.loading") : failed ? t("common.notLoaded") : (none ?? props.placeholder ?? t("common.none"));
  const retry = (
    <Tooltip label={title ?? ""}>
      <ActionIcon variant="subtle" color="gray" onClick={() => void from.refetch()} aria-label={`${t("common.retry")}: ${props.label ?? props["aria-label"] ?? ""}`}><Icon name="refresh" size={16} /></ActionIcon>
    </Tooltip>
  );
  return (
    <Select {...props} data={[]} value={null} searchable={false} placeholder={placeholder} data-presence={presence} aria-busy={presence === "loading"}
      error={failed && !compact ? title : undefined} rightSectionPointerEvents={failed ? "all" : undefined}
      rightSection={presence === "loading" ? <Loader size={16} /> : failed ? retry : undefined} />
  );
}
