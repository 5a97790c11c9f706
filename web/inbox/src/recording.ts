// The recorder, while a message is open. It asks the server whether it is wanted.

import { isRefused } from "../../recorder/src/privacy";
import { BASE } from "./http";
import { accessToken } from "./session";

const SCREEN = "MessageDetail";

/** Observe a message of a campaign; returns what ends it. */
export function observe(campaignId: string): () => void {
  if (isRefused()) {
    return () => {};
  }
  const recorder = import("../../recorder/src/index").then(({ start }) =>
    start({ server: BASE, credential: accessToken, screenName: SCREEN, campaignId }),
  );
  return () => void recorder.then((started) => started.stop());
}
