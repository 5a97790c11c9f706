// Somebody whom a client sends to the server's sign-in page.

import { axeIn, axePage } from "./pages.js";
import { asPerson } from "./person.js";

/** Sign in by code, make a passkey, sign in by it; return where both lead. */
export async function byCodeAndPasskey({ start, until, ...argument }) {
  return await asPerson(argument, async (person) => {
    await person.signInByCode(start);
    const byCode = await person.arrived(until);
    await person.signInByCode(`${person.url}/passkeys`);
    await person.send("add");
    await person.type("Phone");
    await person.signInByPasskey(start);
    return { byCode, byPasskey: await person.arrived(until) };
  });
}

/** Sign in by the provider, which answers by itself; look at the pages on the way. */
export async function byProvider({ start, until, languages, ...argument }) {
  return await asPerson(
    argument,
    async (person) => {
      const { page } = person;
      const pages = [];
      const look = async (name) => pages.push({ name, ...(await axeIn(page)) });
      for (const language of languages) {
        await page.setExtraHTTPHeaders({ "accept-language": language });
        await page.goto(`${person.url}/passkeys`);
        await person.type(person.email);
        await look("no provider here");
        await page.goto(start);
        await person.type(person.email);
        await look("onward to the provider");
        await person.send("provider");
        await look("posting");
      }
      await person.press("button");
      return { pages, arrived: await person.arrived(until) };
    },
    axePage,
  );
}
