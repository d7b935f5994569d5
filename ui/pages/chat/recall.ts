/** What the service remembers of a conversation. */

import { ServiceError, type Conversation, type ConversationService } from "../../client/conversations.ts";

const REFUSED = [401, 403, 404];

/** A conversation; `unknown` where it is nobody's, or not the caller's, `away` where the service does not answer. */
export async function recalled(service: ConversationService, id: string): Promise<Conversation | "unknown" | "away"> {
  try {
    return await service.get(id);
  } catch (error) {
    return error instanceof ServiceError && REFUSED.includes(error.status) ? "unknown" : "away";
  }
}
