//! Any bytes as a capture file, from its first header to the logs: nothing panics, the books balance, every
//! line is whole.
#![no_main]
use harken_capture::Reader;
use harken_engine::{Closed, Config, Front, Ledger, Output, Shard};
use harken_event::zeek::http::HttpLog;
use harken_event::zeek::weird::Weird;
use harken_event::{Form, Transaction, ecs};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

struct Lines {
    http: HttpLog,
    events: ecs::Writer,
    out: Vec<u8>,
    transactions: u64,
    closed: u64,
}

impl Lines {
    fn whole(&mut self) {
        let text = std::str::from_utf8(&self.out).expect("a log line is text");
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text:?}");
        self.out.clear();
    }
}

impl Output for Lines {
    fn transaction(&mut self, transaction: &Transaction<'_>) {
        self.transactions += 1;
        self.http.write(transaction, &mut self.out);
        self.whole();
        self.events.write(transaction, &mut self.out);
        self.whole();
    }

    fn closed(&mut self, closed: &Closed<'_>) {
        self.closed += 1;
        closed.record().write(Form::Json, &mut self.out);
        self.whole();
    }

    fn weird(&mut self, weird: &Weird<'_>) {
        weird.write(Form::Json, &mut self.out);
        self.whole();
    }
}

fuzz_target!(|data: &[u8]| {
    let source = Box::new(Cursor::new(data.to_vec()));
    let Ok(mut reader) = Reader::from_source("fuzz", source, Some(data.len() as u64)) else { return };
    let mut config = Config::default();
    config.flow.max_flows = 16;
    config.flow.ooo_bytes_per_flow = 8 << 10;
    config.flow.ooo_bytes_total = 32 << 10;
    let lines = Lines {
        http: HttpLog::new(Form::Json),
        events: ecs::Writer::default(),
        out: Vec::new(),
        transactions: 0,
        closed: 0,
    };
    let mut shard = Shard::new(&config, lines);
    let mut front = Front::new(harken_wire::Config::default(), harken_flow::DefragConfig::default());
    while let Ok(Some(packet)) = reader.next_packet() {
        let _ =
            front.frame(packet.ts, packet.dlt, packet.data, &mut |ts, segment| shard.segment(ts, segment));
    }
    shard.finish();
    let ledger = Ledger::new(front.stats(), *shard.flow_stats(), *shard.http_stats());
    ledger.check().expect("the books balance");
    assert_eq!(ledger.packets(), reader.packets());
    let lines = shard.into_output();
    assert_eq!((lines.transactions, lines.closed), (ledger.http.exchanges, ledger.flow.opened));
});
