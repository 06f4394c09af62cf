/** Owns the course's page: an address becomes a picture, a caption written here, and a voice from the servers. */
import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, request } from "@/shared/api/client";
import { DescribeSteps } from "@/shared/components/DescribeSteps";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { SourcePicker } from "@/shared/components/SourcePicker";
import { SPEECH_TARGETS, useDescribe } from "@/shared/describe";
import { languageName } from "@/shared/format";
import { isShowable, useShownUrl, type Source } from "@/shared/source";
import { engine } from "./engine";
import { ModelBar, useChoice } from "./ModelBar";

export function CaptionPanel({ active }: { active: boolean }) {
  const { t, i18n } = useTranslation();
  const choice = useChoice("caption");
  const { model } = choice;
  const [source, setSource] = useState<Source | null>(null);
  const [target, setTarget] = useState("pt");
  const describe = useDescribe();
  const here = useHere(source);
  const change = (next: Source | null) => { describe.reset(); setSource(next); };
  const run = () => {
    if (!here.data) return;
    const picture = here.data.blob;
    void describe.run(source!, target, { captioner: async () => { await engine.have(model); return engine.caption(picture); } });
  };
  return (
    <Stack gap="md">
      <ModelBar task="caption" choice={choice} />
      {!source ? (
        <>
          <SourcePicker active={active} onSource={change} />
          <EmptyState icon="browser" title={t("browser.captionTitle")} text={t("browser.captionText")} />
        </>
      ) : (
        <div className="vision">
          <figure className="picture">
            <div className="picture-frame">
              {here.data ? <img src={here.data.url} alt={t("vision.picture")} /> : <div className="picture-away"><Icon name="images" size={26} /><Text size="xs">{here.isPending ? t("browser.fetching") : null}</Text></div>}
            </div>
            <figcaption className="ellipsis">{source.kind === "file" ? source.file.name : source.url.slice(0, 200)}</figcaption>
          </figure>
          <div className="card">
            <Stack gap="md">
              {here.error && <ErrorNotice error={here.error} onRetry={() => void here.refetch()} />}
              <Group align="flex-end" gap="sm">
                <Select flex={1} miw={150} maw={220} label={t("vision.target")} allowDeselect={false} value={target} onChange={(value) => setTarget(value ?? "pt")}
                  data={SPEECH_TARGETS.map((code) => ({ value: code, label: languageName(code, i18n.language) }))} />
                <Button onClick={run} disabled={!here.data} loading={describe.busy} leftSection={<Icon name="sparkle" />}>{t("browser.describe")}</Button>
                <Button variant="default" onClick={() => change(null)}>{t("vision.other")}</Button>
              </Group>
              <Text size="xs" c="dimmed">{t("browser.where")}</Text>
              {describe.error !== null && <ErrorNotice error={describe.error} onRetry={run} />}
              {describe.steps && <DescribeSteps steps={describe.steps} />}
            </Stack>
          </div>
        </div>
      )}
    </Stack>
  );
}

interface Picture {
  url: string;
  blob: Blob;
}

/** The picture's bytes on this origin: the server fetches other sites' pictures, the page never does. */
function useHere(source: Source | null) {
  const fileUrl = useShownUrl(source?.kind === "file" ? source : null);
  return useQuery<Picture>({
    queryKey: ["browser-picture", source?.kind === "url" ? source.url : fileUrl],
    enabled: source !== null,
    networkMode: "always", // a file needs no network
    retry: false,
    gcTime: 0,
    queryFn: async () => {
      if (source!.kind === "file") return { url: fileUrl!, blob: source!.file };
      const url = isShowable(source!.url) ? source!.url : await copied(source!.url);
      // A data: address is decoded by hand: the content security policy lets the page fetch from this origin only.
      return { url, blob: url.startsWith("data:") ? decoded(url) : await (await request(url)).blob() };
    },
  });
}

async function copied(url: string): Promise<string> {
  return (await api<{ image_url: string }>("/v1/vision/pictures", { method: "POST", json: { image_url: url } })).image_url;
}

function decoded(url: string): Blob {
  const [head, body = ""] = [url.slice(0, url.indexOf(",")), url.slice(url.indexOf(",") + 1)];
  const text = head.endsWith(";base64") ? atob(body) : decodeURIComponent(body);
  return new Blob([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], { type: head.slice(5).split(";")[0] });
}
