/** Owns the tab of models that run in the browser itself. */
import { Tabs } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Installing } from "@/shared/components/Installing";
import { Page } from "@/shared/components/Page";
import { CaptionPanel } from "./CaptionPanel";
import { TextPanel } from "./TextPanel";

type Way = "caption" | "text";

export default function BrowserTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const [way, setWay] = useState<Way>("caption");
  return (
    <Page title={t("tabs.browser")} text={t("browser.text")}>
      <Installing active={active} />
      <Tabs value={way} onChange={(value) => setWay(value as Way)}>
        <Tabs.List mb="md">
          <Tabs.Tab value="caption">{t("browser.way.caption")}</Tabs.Tab>
          <Tabs.Tab value="text">{t("browser.way.text")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="caption"><CaptionPanel active={active && way === "caption"} /></Tabs.Panel>
        <Tabs.Panel value="text"><TextPanel /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}
