import { useEffect, useRef, type ReactNode } from "react";

/** A modal dialog with a form; the browser keeps the focus in it, and Escape closes it. */
export function Dialog({ title, submit, danger = false, busy = false, onSubmit, onClose, children }: { title: string; submit: string; danger?: boolean; busy?: boolean; onSubmit: () => void; onClose: () => void; children: ReactNode }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    if (dialog && !dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog ref={element} onClose={onClose} aria-labelledby="dialog-title">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        <h2 id="dialog-title">{title}</h2>
        {children}
        <footer>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={`button ${danger ? "danger" : "primary"}`} disabled={busy}>
            {submit}
          </button>
        </footer>
      </form>
    </dialog>
  );
}
