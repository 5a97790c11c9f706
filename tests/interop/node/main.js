// Runs one scenario: `node main.js FILE NAME '{"json": "arguments"}'` prints what the clients saw.

const [file, name, argument] = process.argv.slice(2);
const scenarios = await import(`./${file}.js`);
const outcome = await scenarios[name](JSON.parse(argument));
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
