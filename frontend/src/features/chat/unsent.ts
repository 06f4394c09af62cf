/** Owns questions that the server has not taken yet; kept in this browser, so that closing the page loses none. */
import { load, save } from "@/shared/storage";
import type { Part } from "./wire";

export interface Question {
  text: string;
  /** What is sent, when it is more than the text. */
  parts?: Part[];
  /** Items that it takes the place of: they are removed before it is asked. */
  replaces: string[];
  /** The user's last item that stays before it. */
  after: string | null;
}

/** The place of a question whose conversation does not exist yet. */
export const DRAFT = "";

export class Unsent {
  constructor(private readonly key: string) {}

  all(): Record<string, Question> {
    return load<Record<string, Question>>(this.key, {});
  }

  put(conversationId: string, question: Question): void {
    save(this.key, { ...this.all(), [conversationId]: question });
  }

  remove(conversationId: string): void {
    const { [conversationId]: gone, ...others } = this.all();
    if (gone) save(this.key, others);
  }
}
