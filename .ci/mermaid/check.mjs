// Parses the Mermaid files named on the command line. Ends with 1 at the first that is none.
import { readFileSync } from 'node:fs';
import { JSDOM } from 'jsdom';

// Mermaid cleans texts with a library that wants a browser
const { window } = new JSDOM('');
Object.assign(globalThis, { window, document: window.document });
const { default: mermaid } = await import('mermaid');

const files = process.argv.slice(2);
if (files.length === 0) throw new Error('no diagrams to parse');
for (const file of files) {
    try {
        await mermaid.parse(readFileSync(file, 'utf8'));
    } catch (error) {
        console.error(`${file} is no Mermaid diagram: ${error.message}`);
        process.exit(1);
    }
}
console.log(`${files.length} diagrams are valid Mermaid`);
