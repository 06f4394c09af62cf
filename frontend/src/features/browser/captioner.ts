/** Owns writing captions with a vision-encoder-decoder model. Runs in the worker. */
import { AutoImageProcessor, AutoModelForVision2Seq, AutoTokenizer, RawImage, type PreTrainedModel } from "@huggingface/transformers";
import { pixelsOf } from "./picture";
import { resize } from "./resize";
import type { BrowserModel } from "./wire";

const BILINEAR = 2;
const MOST_TOKENS = 64;
/** Public captioners may say no run of three words twice, as at the server; the built-in one's sentences need it. */
const NO_REPEAT = 3;

export interface Captioner {
  caption: (picture: Blob) => Promise<string>;
  dispose: () => Promise<unknown>;
}

interface Settings {
  size?: { width?: number; height?: number } | number;
  resample?: number;
}

export async function loadCaptioner(model: BrowserModel, options: object): Promise<Captioner> {
  const [processor, tokenizer, network] = await Promise.all([
    AutoImageProcessor.from_pretrained(model.id, {}),
    AutoTokenizer.from_pretrained(model.id),
    AutoModelForVision2Seq.from_pretrained(model.id, options) as Promise<PreTrainedModel>,
  ]);
  const settings = (processor as unknown as { config: Settings }).config;
  return {
    caption: async (picture) => {
      const image = await asSeen(picture, settings);
      const { pixel_values } = (await processor(image)) as { pixel_values: unknown };
      const written = await network.generate({
        inputs: pixel_values, max_new_tokens: MOST_TOKENS, do_sample: false, no_repeat_ngram_size: model.builtin ? 0 : NO_REPEAT,
        ...(model.builtin ? { max_new_tokens: longest(network) } : {}),
      } as Parameters<PreTrainedModel["generate"]>[0]);
      return tokenizer.batch_decode(written as never, { skip_special_tokens: true })[0]!.trim();
    },
    dispose: () => network.dispose(),
  };
}

/** Scale here where the model wants it bilinear; another way is left to the library. */
async function asSeen(picture: Blob, { size, resample = BILINEAR }: Settings): Promise<RawImage> {
  const pixels = await pixelsOf(picture);
  const side = typeof size === "number" ? { width: size, height: size } : size;
  const scaled = side?.width && side.height && resample === BILINEAR ? resize(pixels, side.width, side.height) : pixels;
  return new RawImage(scaled.data, scaled.width, scaled.height, 3);
}

/** Tokens that the decoder has places for, but for the one that begins. */
function longest(network: PreTrainedModel): number {
  const decoder = (network.config as { decoder?: { n_positions?: number } }).decoder;
  return (decoder?.n_positions ?? MOST_TOKENS) - 1;
}
