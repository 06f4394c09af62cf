/** Owns the vision tab: one picture, the ways of looking at it. */
import { Button, Tabs, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/shared/components/EmptyState";
import { Icon } from "@/shared/components/Icon";
import { Page } from "@/shared/components/Page";
import { abilitiesOf } from "./abilities";
import { AnalysisPanel } from "./AnalysisPanel";
import { AskPanel } from "./AskPanel";
import { useChoosing } from "./choosing";
import { DescribePanel } from "./DescribePanel";
import { Boxes, DetectPanel, type Detections } from "./DetectPanel";
import { isShowable, useShownUrl, type Source } from "@/shared/source";
import { SourcePicker } from "@/shared/components/SourcePicker";
import { useDescribe } from "@/shared/describe";

type Way = "describe" | "detect" | "ask" | "analyse";
const WAYS: Way[] = ["describe", "detect", "ask", "analyse"];

export default function VisionTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const [source, setSource] = useState<Source | null>(null);
  const [turn, setTurn] = useState(0);
  const [way, setWay] = useState<Way>("describe");
  const [found, setFound] = useState<Detections | null>(null);
  const describe = useDescribe();
  const choosing = useChoosing();
  const abilities = abilitiesOf(choosing.models);
  const change = (next: Source | null) => {
    describe.reset();
    setFound(null);
    setSource(next);
    setTurn((now) => now + 1);
  };
  const told = describe.steps?.caption.imageUrl;
  const shown = useShownUrl(source) ?? (told && isShowable(told) ? told : null);
  return (
    <Page title={t("tabs.vision")} text={t("vision.text")}
      actions={source && <Button variant="default" onClick={() => change(null)} leftSection={<Icon name="refresh" size={16} />}>{t("vision.other")}</Button>}>
      {!source ? (
        <>
          <SourcePicker active={active} onSource={change} />
          <EmptyState icon="vision" title={t("vision.emptyTitle")} text={t("vision.emptyText")} />
        </>
      ) : (
        <div className="vision">
          <Picture url={shown} source={source} found={way === "detect" ? found : null} />
          <Tabs value={way} onChange={(value) => setWay(value as Way)} className="card">
            <Tabs.List grow mb="md">{WAYS.map((name) => <Tabs.Tab key={name} value={name}>{t(`vision.way.${name}`)}</Tabs.Tab>)}</Tabs.List>
            <Tabs.Panel value="describe"><DescribePanel key={turn} source={source} describe={describe} choosing={choosing} /></Tabs.Panel>
            <Tabs.Panel value="detect"><DetectPanel key={turn} source={source} choosing={choosing} onFound={setFound} /></Tabs.Panel>
            <Tabs.Panel value="ask"><AskPanel key={turn} source={source} abilities={abilities} choosing={choosing} /></Tabs.Panel>
            <Tabs.Panel value="analyse"><AnalysisPanel key={turn} source={source} /></Tabs.Panel>
          </Tabs>
        </div>
      )}
    </Page>
  );
}

function Picture({ url, source, found }: { url: string | null; source: Source; found: Detections | null }) {
  const { t } = useTranslation();
  const [natural, setNatural] = useState<{ width: number; height: number } | null>(null);
  const width = found?.width ?? natural?.width;
  const height = found?.height ?? natural?.height;
  return (
    <figure className="picture">
      <div className="picture-frame">
        {url ? (
          <img src={url} alt={t("vision.picture")} onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setNatural({ width: naturalWidth, height: naturalHeight })} />
        ) : (
          <div className="picture-away" style={width && height ? { aspectRatio: `${width} / ${height}` } : undefined}><Icon name="external" size={26} /><Text size="xs" ta="center">{t("vision.away")}</Text></div>
        )}
        {found && width && height ? <Boxes found={found} width={width} height={height} /> : null}
      </div>
      <figcaption className="ellipsis">{source.kind === "file" ? source.file.name : source.url.slice(0, 200)}</figcaption>
    </figure>
  );
}
