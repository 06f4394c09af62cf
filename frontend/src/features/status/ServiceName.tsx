/** Owns what a service is called on the page. */
import { useTranslation } from "react-i18next";
import { tabOf } from "./status";

export function ServiceName({ name }: { name: string }) {
  const { t } = useTranslation();
  const tab = tabOf(name);
  return tab ? t(`tabs.${tab}`) : name === "code" ? t("status.code") : name;
}
