// In the browser: rrweb as it comes, without any masking of its own.

import { record } from "rrweb";
import Player from "rrweb-player";

const events = [];

globalThis.startRecording = () => {
  record({
    emit: (event) => events.push(event),
    maskAllInputs: false,
    maskInputOptions: { password: false },
    recordCanvas: false,
  });
};

globalThis.recorded = () => JSON.stringify(events);

/** Play events to their end in rrweb-player and return what stands on the page then. */
globalThis.playBack = (text) => {
  const props = { events: JSON.parse(text), autoPlay: false, mouseTail: false };
  const replayer = new Player({ target: document.body, props }).getReplayer();
  replayer.pause(replayer.getMetaData().totalTime);
  const page = replayer.iframe.contentDocument;
  return {
    text: page.body.innerText,
    values: [...page.querySelectorAll("input,textarea")].map((field) => field.value),
    html: page.documentElement.outerHTML,
  };
};
