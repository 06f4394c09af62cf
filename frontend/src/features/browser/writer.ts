/** Owns writing text with a causal language model, token by token. Runs in the worker. */
import {
  AutoModelForCausalLM, AutoTokenizer, InterruptableStoppingCriteria, LogitsProcessor, LogitsProcessorList, TextStreamer,
  type PreTrainedModel, type Tensor,
} from "@huggingface/transformers";
import { keepLikeliest } from "./sampling";
import type { BrowserModel, Message, Sampling, Written } from "./wire";

/**
 * Public small models fall into loops without this; the built-in one was measured without. A penalty on every word that
 * came before would do it too, but takes the numbers of the question out of the answer.
 */
const AGAINST_LOOPS = { no_repeat_ngram_size: 5 };

export interface Writer {
  write: (messages: Message[], sampling: Sampling, tell: (text: string, tokens: number) => void) => Promise<Written>;
  stop: () => void;
  dispose: () => Promise<unknown>;
}

export async function loadWriter(model: BrowserModel, options: object): Promise<Writer> {
  const [tokenizer, network] = await Promise.all([
    AutoTokenizer.from_pretrained(model.id),
    AutoModelForCausalLM.from_pretrained(model.id, options) as Promise<PreTrainedModel>,
  ]);
  const stopping = new InterruptableStoppingCriteria();
  const forward = network.forward.bind(network);
  // Without a turn for messages between tokens nobody would hear `stop` where a step never waits.
  network.forward = async (inputs) => { await turn(); return forward(inputs); };
  return {
    write: async (messages, sampling, tell) => {
      stopping.reset();
      let [text, tokens, first] = ["", 0, 0];
      const streamer = new TextStreamer(tokenizer, {
        skip_prompt: true, skip_special_tokens: true,
        callback_function: (piece) => { text += piece; tell(text, tokens); },
        token_callback_function: () => { first ||= performance.now(); tokens += 1; },
      });
      const inputs = tokenizer.apply_chat_template(messages as never, { add_generation_prompt: true, return_dict: true }) as object;
      await network.generate({
        ...inputs, streamer, stopping_criteria: stopping, max_new_tokens: sampling.maxNewTokens, ...choosing(sampling),
        ...(model.builtin ? {} : AGAINST_LOOPS),
      } as Parameters<PreTrainedModel["generate"]>[0]);
      const seconds = (performance.now() - first) / 1000;
      return { text: text.trim(), tokens, tokensPerSecond: tokens > 1 ? (tokens - 1) / seconds : 0, stopped: stopping.interrupted };
    },
    stop: () => stopping.interrupt(),
    dispose: () => network.dispose(),
  };
}

function choosing({ sample, temperature, topK, topP }: Sampling): object {
  if (!sample) return { do_sample: false };
  const narrowing = new LogitsProcessorList();
  narrowing.push(new Likeliest(topK, topP));
  return { do_sample: true, temperature, top_k: topK, logits_processor: narrowing };
}

/** Top-p, which the library does not have (4.3); it comes after the temperature, as the library puts it last. */
class Likeliest extends LogitsProcessor {
  constructor(private readonly topK: number, private readonly topP: number) {
    super();
  }

  _call(_: bigint[][], scores: Tensor): Tensor {
    const words = scores.dims.at(-1)!;
    const data = scores.data as Float32Array;
    for (let start = 0; start < data.length; start += words) keepLikeliest(data.subarray(start, start + words), this.topK, this.topP);
    return scores;
  }
}

const channel = new MessageChannel();
const waiting: (() => void)[] = [];
channel.port1.onmessage = () => waiting.shift()?.();

function turn(): Promise<void> {
  return new Promise((resolve) => { waiting.push(resolve); channel.port2.postMessage(null); });
}
