// What the browser says for its user: https://www.w3.org/TR/gpc/ and the older Do Not Track.

interface Signals {
  doNotTrack?: string | null;
  globalPrivacyControl?: boolean;
}

/** Whether the user has asked not to be observed. Then not even a request is made. */
export function isRefused(signals: Signals = navigator as Signals): boolean {
  return signals.globalPrivacyControl === true || signals.doNotTrack === "1";
}
