/** Owns the honest label of the small models that come with the project. */
import { Badge, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";

export function BuiltinBadge() {
  const { t } = useTranslation();
  return (
    <Tooltip label={t("common.builtinHint")} multiline maw={280}>
      <Badge component="a" href="#/models" variant="light" size="sm" className="badge-link">
        {t("common.builtin")}
      </Badge>
    </Tooltip>
  );
}
