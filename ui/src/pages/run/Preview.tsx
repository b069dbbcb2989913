import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { fetchBlob } from "../../api/client";
import { bytes } from "../../api/format";
import { Card, Failure, Skeleton } from "../../parts/Basics";

const TEXT = /\.(txt|md|csv|tsv|json|jsonl|ya?ml|toml|py|log|html?|xml|cfg|ini|sql|sh|r|diff|patch)$|(^|\/)(MLmodel|README|LICENSE|requirements[^/]*)$/i;
const IMAGE = /\.(png|jpe?g|gif|webp|svg)$/i;
const LIMIT = 512 * 1024;

/** A file as text or picture; never as a page of its own, since nobody vouches for what a run wrote into it. */
export function Preview({ path, address, size }: { path: string; address: string; size: number }) {
  const kind = size > LIMIT ? "large" : IMAGE.test(path) ? "image" : TEXT.test(path) ? "text" : "other";
  return (
    <Card
      title={<span className="mono small wrap">{path}</span>}
      actions={
        <a className="button" href={address} download={path.split("/").at(-1)}>
          Download
        </a>
      }
      flush={kind === "text"}
    >
      {kind === "text" ? <Text address={address} /> : kind === "image" ? <Picture address={address} path={path} /> : <p className="muted small">{kind === "large" ? `${bytes(size)}: too large to show here.` : "This kind of file has no preview."}</p>}
    </Card>
  );
}

function Text({ address }: { address: string }) {
  const text = useQuery({ queryKey: ["text", address], queryFn: async ({ signal }) => (await fetchBlob(address, signal)).text() });
  if (text.error) return <Failure error={text.error} />;
  if (text.data === undefined) return <Skeleton rows={6} />;
  return (
    <pre className="code tiny preview" tabIndex={0}>
      {text.data}
    </pre>
  );
}

function Picture({ address, path }: { address: string; path: string }) {
  const blob = useQuery({ queryKey: ["blob", address], queryFn: ({ signal }) => fetchBlob(address, signal) });
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!blob.data) return;
    const type = /\.svg$/i.test(path) ? "image/svg+xml" : blob.data.type;
    const made = URL.createObjectURL(new Blob([blob.data], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob.data, path]);
  if (blob.error) return <Failure error={blob.error} />;
  return url ? <img src={url} alt={path} style={{ maxWidth: "100%", background: "#fff", borderRadius: 6 }} /> : <Skeleton rows={6} />;
}
