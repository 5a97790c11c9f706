// Lets a form ask the device for a passkey and send what it answers.
//
// A form with data-passkey="get" or "create" is hidden until this has found that the browser can do
// it; an element with data-without is shown until then. Options come from the address in
// data-options-from, or are in data-options. What the device answers goes into the field
// "credential", as JSON (WebAuthn Level 3, 5.1); when it answers nothing, the form's hidden alert
// is shown.

const ceremonies = {
  get: (options) =>
    navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
    }),
  create: (options) =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    }),
};

async function optionsOf(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const answer = await fetch(form.dataset.optionsFrom, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  if (!answer.ok) throw new Error(`options: HTTP status ${answer.status}`);
  return (await answer.json()).public_key;
}

function prepare(form) {
  const problem = form.querySelector("[role=alert]");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      const credential = await ceremonies[form.dataset.passkey](await optionsOf(form));
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      console.warn(error);
      problem.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
  form.hidden = false;
  // The browser looks for it once, and does not see what is hidden.
  form.querySelector("[autofocus]")?.focus();
}

if (globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  document.querySelectorAll("[data-without]").forEach((one) => (one.hidden = true));
  document.querySelectorAll("form[data-passkey]").forEach(prepare);
}
