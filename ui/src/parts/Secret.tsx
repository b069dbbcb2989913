import { Card, Copy } from "./Basics";

/** A secret that the server tells once: to be copied now. */
export function Secret({ title, secret, note, onDone }: { title: string; secret: string; note?: string; onDone: () => void }) {
  return (
    <Card
      title={title}
      actions={
        <button type="button" className="button" onClick={onDone}>
          I have it
        </button>
      }
      note={note ?? "It is shown this once. The server keeps only its hash."}
    >
      <div className="secret" role="status">
        <span className="grow">{secret}</span>
        <Copy value={secret} label="Copy the secret" />
      </div>
    </Card>
  );
}
