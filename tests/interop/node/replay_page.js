// In the browser: rrweb as it comes, without any masking of its own.

import { record, Replayer } from "rrweb";

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

/** Play events to their end and return what stands on the page then. */
globalThis.playBack = (text) => {
  const replayer = new Replayer(JSON.parse(text), { root: document.body, mouseTail: false });
  replayer.pause(replayer.getMetaData().totalTime);
  const page = replayer.iframe.contentDocument;
  return {
    text: page.body.innerText,
    values: [...page.querySelectorAll("input,textarea")].map((field) => field.value),
    html: page.documentElement.outerHTML,
  };
};
