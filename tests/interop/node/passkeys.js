// Passkeys of Chromium's virtual authenticator, made and used on the server's pages.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { axeIn, axePage } from "./pages.js";
import { asPerson, listen } from "./person.js";

/** Enrol, sign in, and meet every refusal. */
export async function live(argument) {
  return await asPerson(argument, async (person) => {
    const passkeys = `${person.url}/passkeys`;
    const outcome = { first: await person.signInByCode(passkeys) };
    outcome.form = await person.send("add");
    outcome.added = await person.type("Laptop <1>");
    outcome.used = await person.signInByPasskey(passkeys);
    await person.send("add");
    outcome.twice = await person.enterInVain("Again");

    await person.tell("setUserVerified", { isUserVerified: false });
    await person.page.goto(passkeys);
    outcome.unverified = await person.pressInVain("passkey");
    await person.tell("setUserVerified", { isUserVerified: true });

    const { credentials } = await person.tell("getCredentials");
    await person.tell("clearCredentials");
    await person.tell("addCredential", { credential: stranger(credentials[0]) });
    outcome.foreign = await person.signInByPasskey(passkeys);

    await person.exchangeDevice({ hasUserVerification: false });
    await person.signInByCode(passkeys);
    await person.send("add");
    outcome.careless = await person.enterInVain("");

    await person.exchangeDevice();
    await person.tell("addCredential", { credential: credentials[0] });
    await person.signInByPasskey(passkeys);
    await person.press("summary");
    outcome.removed = await person.send("button");
    outcome.afterwards = await person.signInByPasskey(passkeys);
    return outcome;
  });
}

/** Allow an application after a sign-in by passkey, in each language; look at all pages. */
export async function consent({ languages, authorize, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const pages = [];
    const look = async (name) => pages.push({ name, ...(await axeIn(page)) });
    await person.signInByCode(`${person.url}/passkeys`);
    await person.send("add");
    await person.type("Phone");
    const application = await listen();
    const asks = `${authorize}&redirect_uri=${encodeURIComponent(application.redirectUri)}`;
    for (const language of languages) {
      await page.setExtraHTTPHeaders({ "accept-language": language });
      await page.goto(asks);
      await look("address");
      await person.type(`nobody.${language}@example.com`);
      await look("code");
      await person.type("000000");
      await look("wrong code");
      await person.signInByPasskey(`${person.url}/passkeys`);
      await look("passkeys");
      await person.send("add");
      await look("add");
      await person.signInByPasskey(asks);
      await look("consent");
      await person.send("allow");
    }
    application.server.close();
    return { pages, answers: application.answers };
  }, axePage);
}

/** A key for the same site that the server has never seen. */
function stranger({ rpId }) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    credentialId: randomBytes(32).toString("base64"),
    isResidentCredential: true,
    rpId,
    privateKey: privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"),
    userHandle: randomBytes(16).toString("base64"),
    signCount: 1,
  };
}
