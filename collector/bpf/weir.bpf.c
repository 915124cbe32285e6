/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Who owns a socket, told by the kernel at the moment it happens.
 *
 * What is known of a socket (its maker, its user, how that is known) lies in the socket's own storage and dies with it.
 * A ring buffer carries one event for each piece of news: a socket, a 5-tuple it speaks, who uses it. Nothing is told
 * twice, so nearly every packet ends after two comparisons. No packet byte past the ports leaves this file, no packet is
 * changed or held up, nobody is woken.
 *
 *   cgroup/sock_create      who makes a socket, and what program that is
 *   cgroup_skb/egress       which 5-tuple it sends on, and who is using it
 *   cgroup_skb/ingress      which 5-tuple it receives on
 *   cgroup/getpeername4, 6  accept(2) that asks for the peer's address: which worker took the connection
 *   tp_btf/net_dev_queue    who sends frames past the IP stack, by an AF_PACKET socket: they pass no cgroup;
 *                           and which connections have their addresses translated (NAT), from what to what
 *   iter/task_file          read once: sockets that are older than these programs
 *
 * The reader is collector/src/worker/owners; the layouts below are its contract, checked at the end of the file.
 */
#include "kernel.h"

/* ---- what is told ---- */

/* How the owner is known, in the order in which it may be replaced. */
enum how {
	KERNEL,   /* nobody made it: a socket of the kernel's own (resets, ICMP replies, tunnels) */
	FOUND,    /* a process held it when these programs were loaded */
	SHARED,   /* several did */
	MADE,     /* called socket(2) */
	LISTENER, /* made by the kernel for a listener's new connection; who takes it is not known yet */
	ACCEPTED, /* took it with accept(2) */
	SENT,     /* has sent on it */
	FRAMED,   /* has sent frames on it, of whatever addresses: the socket has none */
	SEVERAL,  /* several programs send frames of the 5-tuple in turns, too quickly to tell of each */
};

enum kind { SOCKET_EVENT = 1, PROGRAM_EVENT = 2, FRAMES_EVENT = 3, TRANSLATION_EVENT = 4 };

/* A program in a process: exec(2) makes another one of the same pid. */
struct program {
	u64 start; /* of the process, nanoseconds since boot: with the pid it is unique */
	u32 pid, exec;
};

struct owner {
	struct program program;
	u64 cgroup;
	u32 user, maker; /* maker: pid of who made the socket, 0 for none */
	char name[16];   /* comm of the thread group's leader: a thread's own name is not the process's */
};

/* As the socket sees it; addresses and ports in network byte order, IPv4 in the first word. */
struct tuple {
	u32 local[4], remote[4];
	u16 local_port, remote_port; /* ICMP: identifier, and the message's type in host order */
	u8 protocol, is_ipv6, pad[2];
};

struct socket_event {
	u64 time; /* nanoseconds since boot */
	u32 kind;
	u8 how, sent, state, type;
	u64 socket, network_namespace; /* cookies */
	struct owner owner;
	struct tuple tuple; /* protocol 0: news of the socket as such */
};

#define PATH_PARTS 8
#define PART_BYTES 48
#define ARGUMENTS_BYTES 256

/* So that a process which has died before anybody could look it up still has its path and command line. */
struct program_event {
	u64 time;
	u32 kind, arguments_bytes;
	struct program program;
	char path[PATH_PARTS][PART_BYTES]; /* of the executable, last part first */
	char arguments[ARGUMENTS_BYTES];   /* each ended by a zero byte */
};

/* Frames without a 5-tuple that were sent by an AF_PACKET socket since the last such event of the socket. */
struct frames_event {
	u64 time;
	u32 kind, interface; /* index, in the network namespace */
	u64 frames, bytes, network_namespace;
	struct owner owner;
};

/* A connection whose packets have other addresses before this machine has passed them on than after. In both tuples the
 * local end is that of who began it. */
struct translation_event {
	u64 time;
	u32 kind;
	u32 by_socket; /* seen on what a socket of the namespace itself has sent; else on what is forwarded */
	u64 network_namespace;
	struct tuple before, after;
};

/* ---- what is kept ---- */

struct known {
	struct owner owner;
	u64 socket, network_namespace;
	u64 second;        /* the one that `told` counts in */
	u32 generation;    /* of the reader that was told */
	u32 told;
	u32 tuples[4];     /* hashes of those told last */
	u8 how, pad[3];
	u32 interface;     /* the one that these were sent on and not told of yet: */
	u64 frames, bytes;
};

/* Mapped by the reader. */
struct control {
	u32 generation; /* a reader that starts adds one: everything is told again */
	u32 pad;
	u64 told, ring_full, no_storage, too_many;
	/* the programs' own: */
	u64 translations_second; /* the one that the next counts in */
	u32 translations;
	u32 frame_news; /* how many tuples of frames were told */
};

/* A tuple in its network namespace. */
struct place {
	struct tuple tuple; /* pad[0]: of a translated connection's, how its packets look before, after */
	u64 network_namespace;
};

/* Of a translated connection's tuple, a fingerprint of the other. */
struct translation {
	u64 other;
	u32 generation, pad;
};
enum { BEFORE = 1, AFTER = 2 };

/* Of tuples that a socket has sent frames of, fingerprints of those that there was nothing to tell of, as long as nothing
 * has been told of any frame since: then no other program can have taken one over. */
#define QUIET_TUPLES 512

struct quiet {
	u64 tuples[QUIET_TUPLES];
};

/* Who has sent frames of a tuple last. */
struct sender {
	struct program program; /* start 0: several, or not told */
	u64 second;             /* the one that `turns` counts in */
	u32 turns, generation;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct known);
} SOCKETS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct quiet);
} QUIET SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct program);
	__type(value, u32); /* generation of the reader that was told */
} PROGRAMS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072); /* the loader takes fewer where fewer connections are tracked */
	__type(key, struct place);
	__type(value, struct translation);
} TRANSLATIONS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct place);
	__type(value, struct sender);
} SENDERS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} EVENTS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct control);
} CONTROL SEC(".maps");

/* The size of a kernel stack on this architecture (THREAD_SIZE); the loader knows better. */
const volatile u32 STACK_BYTES = 16384;

/* Where a connection's tuples and its status lie in struct nf_conn, and how far its second tuple is from the first. The
 * loader fills them in; 0: not known, and no translation is told. */
const volatile u32 CONNECTION_TUPLES = 0, CONNECTION_REPLY = 0, CONNECTION_STATUS = 0;

/* Translated connections that are told in a second: with more than the map holds each packet could be one. */
#define MOST_TRANSLATIONS_A_SECOND 8192

/* More peers than this in a second on one socket are not told; the reader then goes by the local end. */
#define MOST_TOLD_A_SECOND 256

/* Turns that programs take with frames of one tuple in a second and that are told. A frame and news of another one's are
 * microseconds apart: with few of them hardly a frame is taken for the other's. */
#define MOST_TURNS_A_SECOND 16

#define COUNT(counter) __sync_fetch_and_add(&(counter), 1)

INLINE struct control *control(void)
{
	u32 only = 0;
	return bpf_map_lookup_elem(&CONTROL, &only);
}

/* ---- telling ---- */

/* What every event begins with. */
struct event {
	u64 time;
	u32 kind;
};

/* Room for an event of this kind; 0 where the ring is full, and then it is tried again with the next packet. */
INLINE void *begin_event(u32 kind, u64 bytes, struct control *control)
{
	struct event *event = bpf_ringbuf_reserve(&EVENTS, bytes, 0);

	if (!event) {
		COUNT(control->ring_full);
		return 0;
	}
	event->time = bpf_ktime_get_boot_ns();
	event->kind = kind;
	return event;
}

INLINE void end_event(void *event, struct control *control)
{
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	COUNT(control->told);
}

/* ---- owners ---- */

INLINE void set_owner(struct known *known, struct task_struct *task, u8 how)
{
	struct task_struct *leader = task->group_leader;
	struct owner *owner = &known->owner;

	owner->program.pid = task->tgid;
	owner->program.start = leader->start_boottime;
	owner->program.exec = task->self_exec_id;
	owner->cgroup = task->cgroups->dfl_cgrp->kn->id;
	owner->user = task->cred->uid.val;
	((u64 *)owner->name)[0] = *(u64 *)&leader->comm[0];
	((u64 *)owner->name)[1] = *(u64 *)&leader->comm[8];
	if (how <= MADE)
		owner->maker = owner->program.pid;
	known->how = how;
	known->generation = 0; /* its 5-tuples are told again with the next packet */
}

/* Who reads an NFQUEUE, runs a tunnel or writes to a tun device sends other programs' packets in its own context. Only
 * the maker and its descendants are believed to be users. The price: a socket that is handed to a stranger keeps its
 * maker's name. */
INLINE int is_kin_of_the_maker(const struct known *known, struct task_struct *task)
{
	if (!known->owner.maker)
		return 1; /* only TCP comes here without one: a part of an MPTCP connection */
	for (int generation = 0; generation < 8 && task && task->tgid > 1; generation++, task = task->real_parent)
		if (task->tgid == known->owner.maker)
			return 1;
	return 0;
}

/* Whether the packet is sent by a system call of this task on this socket, and not from an interrupt, a timer or a
 * queue that happens to run while the task does. */
INLINE int is_sending(struct task_struct *task, struct bpf_sock *socket, const struct known *known, int is_tcp)
{
	if (is_tcp) {
		/* a user holds the lock through a system call; softirqs take it otherwise */
		struct tcp_sock *tcp = bpf_skc_to_tcp_sock(socket);

		return socket->state != TCP_LISTEN && tcp && tcp->inet_conn.icsk_inet.sk.sk_lock.owned;
	}
	/* the program's own frame lies on the task's stack, not on an interrupt's; the kernel's sockets have no user */
	u32 frame;

	asm volatile("%0 = w10" : "=w"(frame));
	return known->how != KERNEL && frame - (u32)(long)task->stack < STACK_BYTES;
}

/* ---- programs ---- */

/* The executable's path and the command line, read in the process's own context, once a program and reader. */
INLINE void tell_program(struct task_struct *task, struct control *control)
{
	struct program program = {
		.start = task->group_leader->start_boottime,
		.pid = task->tgid,
		.exec = task->self_exec_id,
	};
	u32 generation = control->generation, *told = bpf_map_lookup_elem(&PROGRAMS, &program);
	struct mm_struct *memory = task->mm;

	if ((told && *told == generation) || !memory)
		return;
	struct program_event *event = begin_event(PROGRAM_EVENT, sizeof *event, control);

	if (!event)
		return;
	event->program = program;

	struct file *executable = memory->exe_file;
	struct dentry *part = executable ? executable->f_path.dentry : 0;

	for (int i = 0; i < PATH_PARTS; i++) {
		event->path[i][0] = 0;
		if (!part)
			continue;
		bpf_probe_read_kernel_str(event->path[i], PART_BYTES, part->d_name.name);
		part = part->d_parent;
	}
	u64 bytes = memory->arg_end - memory->arg_start;

	if (bytes > ARGUMENTS_BYTES - 1)
		bytes = ARGUMENTS_BYTES - 1;
	/* the mask is for the verifier, which has lost the bound by now */
	if (bpf_probe_read_user(event->arguments, bytes & (ARGUMENTS_BYTES - 1), (void *)memory->arg_start))
		bytes = 0;
	event->arguments_bytes = bytes;
	end_event(event, control);
	bpf_map_update_elem(&PROGRAMS, &program, &generation, 0);
}

/* ---- packets ---- */

INLINE int has_ports(u8 protocol)
{
	return protocol == TCP || protocol == UDP || protocol == UDP_LITE || protocol == SCTP;
}

INLINE int is_icmp(u8 protocol)
{
	return protocol == ICMP || protocol == ICMPV6;
}

/* What the IP header says; where the transport header is. 20 bytes of it are there, 40 for IPv6. */
INLINE u32 set_addresses(struct tuple *tuple, const u8 *header, int sent)
{
	u32 *source = sent ? tuple->local : tuple->remote, *destination = sent ? tuple->remote : tuple->local;

	if (header[0] >> 4 == 4) {
		tuple->protocol = header[9];
		source[0] = *(u32 *)(header + 12);
		destination[0] = *(u32 *)(header + 16);
		return (header[0] & 15) * 4;
	}
	tuple->protocol = header[6];
	tuple->is_ipv6 = 1;
	__builtin_memcpy(source, header + 8, 16);
	__builtin_memcpy(destination, header + 24, 16);
	return 40;
}

INLINE void set_ports(struct tuple *tuple, const u16 head[4], int sent)
{
	u32 first = head[0], second = head[1], identifier = head[2], message = *(const u8 *)head;

	/* values, or the compiler chooses between addresses with an "or", which the verifier refuses */
	asm volatile("" : "+r"(first), "+r"(second), "+r"(identifier), "+r"(message));
	if (is_icmp(tuple->protocol)) {
		tuple->local_port = identifier;
		tuple->remote_port = message;
	} else {
		tuple->local_port = sent ? first : second;
		tuple->remote_port = sent ? second : first;
	}
}

/* Fills in a packet's 5-tuple; 0 where the IP header is not there. */
INLINE int read_tuple(struct __sk_buff *packet, struct tuple *tuple, int sent)
{
	u8 *data = (void *)(long)packet->data, *end = (void *)(long)packet->data_end;
	u16 head[4] = {};

	if (data + 20 > end || (data[0] >> 4 != 4 && data + 40 > end))
		return 0;
	u32 transport = set_addresses(tuple, data, sent);

	if ((has_ports(tuple->protocol) || is_icmp(tuple->protocol)) &&
	    !bpf_skb_load_bytes(packet, transport, head, 8))
		set_ports(tuple, head, sent);
	return 1;
}

/* Tells tuples apart that were told last; never the 0 of an empty place. */
INLINE u32 hash_of(const struct tuple *tuple)
{
	u32 hash = (tuple->local_port | (u32)tuple->remote_port << 16) ^ tuple->remote[0] ^ tuple->remote[3];

	return (hash ^ (tuple->local[0] ^ tuple->local[3]) * 0x85ebca6b) * 0x9e3779b1 | 1;
}

/* Says whether there was room; what was not told is tried again with the next packet. */
INLINE int tell_socket(const struct known *known, const struct tuple *tuple, const struct bpf_sock *socket, int sent,
		       struct control *control)
{
	struct socket_event *event = begin_event(SOCKET_EVENT, sizeof *event, control);

	if (!event)
		return 0;
	event->how = known->how;
	event->sent = sent;
	event->state = socket ? socket->state : 0;
	event->type = socket ? socket->type : 0;
	event->socket = known->socket;
	event->network_namespace = known->network_namespace;
	event->owner = known->owner;
	event->tuple = *tuple;
	end_event(event, control);
	if (control->translations_second) {
		/* these addresses are a socket's now; if they are a translated connection's again, that is news */
		struct place place = { .tuple = *tuple, .network_namespace = known->network_namespace };

		place.tuple.pad[0] = AFTER;
		bpf_map_delete_elem(&TRANSLATIONS, &place);
	}
	return 1;
}

/* Counts against the socket's allowance of this second. */
INLINE int may_tell(struct known *known)
{
	u64 second = bpf_ktime_get_boot_ns() >> 30;

	if (second != known->second) {
		known->second = second;
		known->told = 0;
	}
	return ++known->told <= MOST_TOLD_A_SECOND;
}

INLINE void note_told(struct known *known, u32 hash, u32 place, u32 generation)
{
	if (known->generation != generation) {
		known->tuples[0] = known->tuples[1] = known->tuples[2] = known->tuples[3] = 0;
		known->generation = generation;
	}
	known->tuples[place & 3] = hash;
}

/* The cookie of a socket's network namespace; the helper for packets is only there from Linux 6.15 on. No arithmetic is
 * allowed on a socket's address, so its head is read as it lies there. */
INLINE u64 network_namespace_of(const struct bpf_sock *socket)
{
	const u64 place = __builtin_preserve_field_info(((struct sock *)0)->__sk_common.skc_net.net, 0);
	u8 head[80] __attribute__((aligned(8))) = {};
	struct net *network;
	u64 cookie = 0;

	if (place > sizeof head - sizeof network || bpf_probe_read_kernel(head, sizeof head, socket))
		return 0;
	network = *(struct net **)(head + place);
	bpf_probe_read_kernel(&cookie, sizeof cookie, &network->net_cookie);
	return cookie;
}

INLINE int on_packet(struct __sk_buff *packet, const int sent)
{
	struct control *control_of_ours = control();
	struct bpf_sock *socket = packet->sk;

	if (!control_of_ours || !socket || !(socket = bpf_sk_fullsock(socket)))
		return 1;
	struct known *known = bpf_sk_storage_get(&SOCKETS, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!known) {
		COUNT(control_of_ours->no_storage);
		return 1;
	}
	/* a raw TCP socket is not one of TCP's */
	int is_tcp = socket->protocol == TCP && socket->type == SOCK_STREAM;
	struct task_struct *task = bpf_get_current_task_btf();

	/* most often the user already is who is known; exec(2) with an open socket makes another program of it */
	if (sent && !(task->flags & PF_KTHREAD) &&
	    (known->owner.program.pid != task->tgid || known->owner.program.exec != (u32)task->self_exec_id ||
	     known->how < ACCEPTED) &&
	    is_sending(task, socket, known, is_tcp) && is_kin_of_the_maker(known, task->group_leader)) {
		set_owner(known, task, SENT);
		tell_program(task, control_of_ours);
	}

	/* a connected socket's 5-tuple is in the socket; others can have another one in each packet */
	struct tuple tuple = {};
	u32 hash, place = 0;

	if (is_tcp) {
		hash = (socket->src_port | (u32)socket->dst_port << 16) ^ socket->dst_ip4 ^ socket->dst_ip6[3];
		hash = hash * 0x9e3779b1 | 1;
	} else {
		if (!read_tuple(packet, &tuple, sent))
			return 1;
		hash = hash_of(&tuple);
		place = hash >> 30;
	}
	if (known->generation == control_of_ours->generation && known->tuples[place & 3] == hash)
		return 1; /* nothing new: nearly every packet ends here */

	if (socket->type == SOCK_RAW && !sent)
		return 1; /* a raw socket hears what others send: that makes it no owner */
	if (!may_tell(known)) {
		COUNT(control_of_ours->too_many);
		return 1;
	}
	if (is_tcp)
		read_tuple(packet, &tuple, sent);
	u64 cookie = bpf_get_socket_cookie(packet);

	/* the storage of a listener is copied to the sockets of its connections, cookie and all */
	if (known->socket && known->socket != cookie && known->how != SENT)
		known->how = LISTENER;
	if (known->socket != cookie || !known->network_namespace || known->how == KERNEL) {
		known->socket = cookie;
		known->network_namespace = network_namespace_of(socket);
	}
	if (!tell_socket(known, &tuple, socket, sent, control_of_ours))
		return 1;
	note_told(known, hash, place, control_of_ours->generation);
	return 1;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *packet)
{
	return on_packet(packet, 1);
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *packet)
{
	return on_packet(packet, 0);
}

/* ---- frames past the IP stack ---- */

enum { ETHERTYPE_IPV4 = 0x0008, ETHERTYPE_IPV6 = 0xdd86 }; /* as they lie in memory */
enum { ETHERNET_HEADER = 14 };

/* Where a frame's network header is, and in `there` how many of its bytes from there on can be read. Of a frame that its
 * sender has put into a ring (PACKET_TX_RING) only the link header lies in the buffer, which points to the frame's place in
 * the ring: there the same link header stands behind the place's own (struct tpacket_hdr, 48 bytes in the third version and
 * 32 before). 0: it is not found. */
INLINE const u8 *network_header(const struct sk_buff *frame, u32 *there)
{
	const u8 *network = frame->head + frame->network_header;
	u64 ring = 0, link[2] = {}, same[2] = {};
	u32 offset = network - frame->data; /* past the link header, and tags behind it */

	*there = frame->tail - frame->network_header;
	if ((int)*there > 0 || frame->dev->hard_header_len != ETHERNET_HEADER)
		return network;
	/* its lowest bit says that it is no structure (skb_zcopy_set_nouarg) */
	const struct skb_shared_info *shared = (void *)(frame->head + frame->end);

	if (bpf_probe_read_kernel(&ring, sizeof ring, &shared->destructor_arg) || !(ring & 1) ||
	    bpf_probe_read_kernel(link, ETHERNET_HEADER, frame->data))
		return 0;
	for (int head = 32; head <= 48; head += 16) {
		const u8 *written = (const u8 *)((ring & ~1ul) + head);

		if (!bpf_probe_read_kernel(same, ETHERNET_HEADER, written) && link[0] == same[0] && link[1] == same[1]) {
			*there = frame->len - offset;
			return written + offset;
		}
	}
	return 0;
}

enum { WITHOUT_TUPLE, WITH_TUPLE, UNREADABLE };

/* Fills in the 5-tuple that a sender has written into its frame. There is none where it is no IP, or a later fragment. */
INLINE int read_frame(const struct sk_buff *frame, struct tuple *tuple)
{
	u32 there;
	const u8 *network = network_header(frame, &there);
	/* the EtherType, 40 bytes from the network header on, and 8 behind; so placed that words are aligned */
	u8 read[8 + 48] = {}, *header = read + 8;
	u16 head[4] = {}, type;

	if (!network)
		return UNREADABLE;
	u32 bytes = there < 48 ? there : 48;

	asm volatile("" : "+r"(bytes)); /* or the compiler drops the bound below, and old verifiers see none */
	if (there > 0xffff || bytes < 20 || bytes > 48 || bpf_probe_read_kernel(read + 6, 2 + bytes, network - 2))
		return WITHOUT_TUPLE;
	u8 version = header[0] >> 4;

	type = *(u16 *)(read + 6);
	if (frame->dev->hard_header_len >= ETHERNET_HEADER && type != (version == 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6))
		return WITHOUT_TUPLE;
	if (version == 4 ? *(u16 *)(header + 6) & 0xff1f : version != 6 || there < 40)
		return WITHOUT_TUPLE;
	u32 transport = set_addresses(tuple, header, 1);

	if ((!has_ports(tuple->protocol) && !is_icmp(tuple->protocol)) || transport + 8 > there)
		return WITH_TUPLE;
	if (transport == 20)
		__builtin_memcpy(head, header + 20, 8);
	else if (version == 6)
		__builtin_memcpy(head, header + 40, 8);
	else if (bpf_probe_read_kernel(head, 8, network + transport))
		return WITH_TUPLE;
	set_ports(tuple, head, 1);
	return WITH_TUPLE;
}

INLINE u64 fingerprint(const struct tuple *tuple)
{
	const u64 *words = (const void *)tuple;
	u64 print = 0;

	for (int i = 0; i < sizeof *tuple / 8; i++) {
		print = (print ^ words[i]) * 0x9e3779b97f4a7c15;
		print ^= print >> 32;
	}
	return print;
}

/* Never the 0 of an empty place. */
INLINE u64 quiet_print(const struct known *known, const struct tuple *tuple, const struct control *control)
{
	const struct program *program = &known->owner.program;
	u64 news = control->frame_news | (u64)control->generation << 32;
	u64 print = fingerprint(tuple) ^ program->start ^ (program->pid | (u64)program->exec << 32);

	return (print ^ news * 0xc2b2ae3d27d4eb4f) * 0x9e3779b97f4a7c15 | 1;
}

/* Tells of a frame's tuple unless it is known to be this program's. Any program can send frames of any addresses, so each
 * that takes its turn is told, or that they are several. */
INLINE void tell_frame(struct known *known, const struct tuple *tuple, struct quiet *quiet, struct control *control)
{
	u64 print = quiet_print(known, tuple, control), *place_of_print = &quiet->tuples[print / (~0ul / QUIET_TUPLES + 1)];

	if (*place_of_print == print)
		return; /* nothing new: nearly every frame ends here */
	struct place place = { .tuple = *tuple, .network_namespace = known->network_namespace };
	struct sender *last = bpf_map_lookup_elem(&SENDERS, &place), none = {};
	const struct program *program = &known->owner.program;
	u64 second = bpf_ktime_get_boot_ns() >> 30;

	if (last && last->program.start == program->start && last->program.pid == program->pid &&
	    last->program.exec == program->exec && last->generation == control->generation) {
		*place_of_print = print;
		return;
	}
	if (last && last->second == second && last->turns > MOST_TURNS_A_SECOND)
		return; /* that they are several was told */
	if (!may_tell(known)) {
		COUNT(control->too_many);
		return;
	}
	if (!last && (bpf_map_update_elem(&SENDERS, &place, &none, 0) || !(last = bpf_map_lookup_elem(&SENDERS, &place))))
		return;
	if (last->second != second) {
		last->second = second;
		last->turns = 0;
	}
	known->how = ++last->turns > MOST_TURNS_A_SECOND ? SEVERAL : FRAMED;
	last->program = *program;
	last->generation = control->generation;
	int told = tell_socket(known, tuple, 0, 1, control);

	COUNT(control->frame_news);
	if (!told)
		last->turns--;
	if (!told || known->how == SEVERAL)
		last->program.start = 0;
	known->how = FRAMED;
}

/* Frames that cannot be told now go with the next one. */
INLINE void on_frame_without_tuple(struct known *known, const struct sk_buff *frame, struct control *control)
{
	struct net_device *interface = frame->dev;

	if (known->interface != interface->ifindex) {
		known->interface = interface->ifindex;
		known->frames = known->bytes = 0;
	}
	known->frames++;
	known->bytes += frame->len;
	if (!may_tell(known)) {
		COUNT(control->too_many);
		return;
	}
	struct frames_event *event = begin_event(FRAMES_EVENT, sizeof *event, control);

	if (!event)
		return;
	event->interface = known->interface;
	event->frames = known->frames;
	event->bytes = known->bytes;
	event->network_namespace = interface->nd_net.net->net_cookie;
	event->owner = known->owner;
	end_event(event, control);
	known->frames = known->bytes = 0;
}

/* ---- translated addresses ---- */

/* From the connection's two tuples, as its initiator and as its responder sends. */
INLINE void set_translated(struct translation_event *event, const struct connection_tuple *there,
			   const struct connection_tuple *back)
{
	struct tuple *before = &event->before, *after = &event->after;

	__builtin_memcpy(before->local, there->source, 16);
	__builtin_memcpy(before->remote, there->destination, 16);
	__builtin_memcpy(after->local, back->destination, 16);
	__builtin_memcpy(after->remote, back->source, 16);
	before->protocol = after->protocol = there->protocol;
	before->is_ipv6 = after->is_ipv6 = there->family == AF_INET6;
	if (is_icmp(there->protocol)) {
		before->remote_port = after->remote_port = there->destination_port & 0xff;
		before->local_port = there->source_port;
		after->local_port = back->source_port;
	} else if (has_ports(there->protocol)) {
		before->local_port = there->source_port;
		before->remote_port = there->destination_port;
		after->local_port = back->destination_port;
		after->remote_port = back->source_port;
	}
}

/* Whether the tuple's other one is known to the reader already. */
INLINE int is_told(struct place *place, u64 other, u32 generation)
{
	struct translation *known = bpf_map_lookup_elem(&TRANSLATIONS, place);

	return known && known->other == other && known->generation == generation;
}

INLINE int may_tell_translation(struct control *control)
{
	u64 second = bpf_ktime_get_boot_ns() >> 30;

	if (second != control->translations_second) {
		control->translations_second = second;
		control->translations = 0;
	}
	return __sync_fetch_and_add(&control->translations, 1) < MOST_TRANSLATIONS_A_SECOND;
}

/* Each of the two tuples must be known to belong to the other: either can become another connection's. */
INLINE void tell_translation(struct translation_event *told, struct control *control)
{
	u64 before_print = fingerprint(&told->before), after_print = fingerprint(&told->after);
	u32 generation = control->generation;
	struct place before = { .tuple = told->before, .network_namespace = told->network_namespace };
	struct place after = { .tuple = told->after, .network_namespace = told->network_namespace };

	before.tuple.pad[0] = BEFORE;
	after.tuple.pad[0] = AFTER;
	if (before_print == after_print ||
	    (is_told(&after, before_print, generation) && is_told(&before, after_print, generation)))
		return;
	if (!may_tell_translation(control)) {
		COUNT(control->no_storage);
		return;
	}
	struct translation_event *event = begin_event(TRANSLATION_EVENT, sizeof *event, control);

	if (!event)
		return;
	told->time = event->time;
	*event = *told;
	end_event(event, control);

	struct translation known = { .other = after_print, .generation = generation };

	bpf_map_update_elem(&TRANSLATIONS, &before, &known, 0);
	known.other = before_print;
	bpf_map_update_elem(&TRANSLATIONS, &after, &known, 0);
}

/* A packet of a connection that the kernel tracks. */
INLINE void on_tracked(const struct sk_buff *frame, const u8 *connection)
{
	struct connection_tuple there, back;
	u64 status = 0;

	if (bpf_probe_read_kernel(&status, sizeof status, connection + CONNECTION_STATUS) || !(status & TRANSLATED))
		return;
	if (bpf_probe_read_kernel(&there, sizeof there, connection + CONNECTION_TUPLES) ||
	    bpf_probe_read_kernel(&back, sizeof back, connection + CONNECTION_TUPLES + CONNECTION_REPLY))
		return;
	/* what lies there says itself what it is */
	if (there.is_reply || back.is_reply != 1 || there.protocol != back.protocol ||
	    there.family != back.family || (there.family != AF_INET && there.family != AF_INET6))
		return;
	struct control *control_of_ours = control();
	struct translation_event told = {
		.kind = TRANSLATION_EVENT,
		.by_socket = frame->sk != 0,
		.network_namespace = frame->dev->nd_net.net->net_cookie,
	};

	set_translated(&told, &there, &back);
	if (control_of_ours)
		tell_translation(&told, control_of_ours);
}

/* Runs for every packet of every program on its way to an interface. Past the first condition only those of tracked
 * connections go, past the second only those of AF_PACKET. A
 * frame passes first in its sender's own system call; later, when a VLAN's queue hands it on, in whoever's, who is
 * believed only as kin. */
SEC("tp_btf/net_dev_queue")
int frame_sent(u64 *arguments)
{
	struct sk_buff *frame = (void *)arguments[0];
	struct sock *socket = frame->sk;

	if (CONNECTION_TUPLES && HAS(frame->_nfct)) {
		unsigned long tracked = frame->_nfct;

		/* of what is forwarded one direction is enough; of a socket's own only this one comes by */
		if (tracked && (socket || (tracked & NFCT_INFO) < IP_CT_IS_REPLY))
			on_tracked(frame, (const u8 *)(tracked & NFCT_POINTER));
	}
	if (!socket || socket->__sk_common.skc_family != AF_PACKET)
		return 0;
	struct control *control_of_ours = control();
	struct known *known = bpf_sk_storage_get(&SOCKETS, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct task_struct *task = bpf_get_current_task_btf();

	if (!control_of_ours)
		return 0;
	if (!known) {
		COUNT(control_of_ours->no_storage);
		return 0;
	}
	if (!(task->flags & PF_KTHREAD) &&
	    (known->owner.program.pid != task->tgid || known->owner.program.exec != (u32)task->self_exec_id ||
	     known->how != FRAMED) &&
	    is_kin_of_the_maker(known, task->group_leader)) {
		set_owner(known, task, FRAMED);
		if (!known->owner.maker)
			known->owner.maker = known->owner.program.pid; /* no cgroup hook sees one made */
		known->network_namespace = socket->__sk_common.skc_net.net->net_cookie;
		tell_program(task, control_of_ours);
	}
	if (known->how != FRAMED)
		return 0;
	struct quiet *quiet = bpf_sk_storage_get(&QUIET, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct tuple tuple = {};

	if (!quiet) {
		COUNT(control_of_ours->no_storage);
		return 0;
	}
	switch (read_frame(frame, &tuple)) {
	case WITH_TUPLE:
		tell_frame(known, &tuple, quiet, control_of_ours);
		break;
	case WITHOUT_TUPLE:
		on_frame_without_tuple(known, frame, control_of_ours);
	}
	return 0;
}

/* ---- system calls ---- */

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *socket)
{
	struct control *control_of_ours = control();
	struct known *known = bpf_sk_storage_get(&SOCKETS, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct task_struct *task = bpf_get_current_task_btf();

	if (!control_of_ours)
		return 1;
	if (!known) {
		COUNT(control_of_ours->no_storage);
		return 1;
	}
	set_owner(known, task, MADE);
	known->socket = bpf_get_socket_cookie(socket);
	known->network_namespace = bpf_get_netns_cookie(socket);
	tell_program(task, control_of_ours);
	return 1;
}

/* Told without a 5-tuple: the connection's packets so far are in the reader's hands, and wait for this. */
INLINE int on_peer_name(struct bpf_sock_addr *address)
{
	struct control *control_of_ours = control();
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_sock *socket = address->sk;
	struct known *known = socket ? bpf_sk_storage_get(&SOCKETS, socket, 0, 0) : 0;
	struct tuple none = {};

	if (!control_of_ours || !known || task->flags & PF_KTHREAD)
		return 1;
	if (known->owner.program.pid == task->tgid && known->how >= ACCEPTED)
		return 1;
	set_owner(known, task, ACCEPTED);
	known->socket = bpf_get_socket_cookie(address);
	known->network_namespace = bpf_get_netns_cookie(address);
	tell_program(task, control_of_ours);
	tell_socket(known, &none, 0, 0, control_of_ours);
	return 1;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *address)
{
	return on_peer_name(address);
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *address)
{
	return on_peer_name(address);
}

/* ---- older sockets ---- */

/* Runs for every open file of every process while the iterator is read; writes nothing to its reader. */
SEC("iter/task_file")
int existing(struct bpf_iter__task_file *context)
{
	struct task_struct *task = context->task;
	struct file *file = context->file;
	struct socket *socket;
	struct known *known;

	if (!file || !task || !(socket = bpf_sock_from_file(file)) || !socket->sk)
		return 0;
	known = bpf_sk_storage_get(&SOCKETS, socket->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!known)
		return 0;
	if (known->how == KERNEL) {
		set_owner(known, task, FOUND);
		known->socket = bpf_get_socket_cookie(socket->sk);
	} else if (known->how == FOUND && known->owner.program.pid != task->tgid) {
		known->how = SHARED;
	}
	return 0;
}

/* What the reader takes for granted. */
_Static_assert(sizeof(struct owner) == 48, "owner");
_Static_assert(sizeof(struct tuple) == 40, "tuple");
_Static_assert(sizeof(struct socket_event) == 120, "socket event");
_Static_assert(sizeof(struct program_event) == 672, "program event");
_Static_assert(sizeof(struct frames_event) == 88, "frames event");
_Static_assert(sizeof(struct translation_event) == 104, "translation event");
_Static_assert(sizeof(struct control) == 56, "control");
_Static_assert(sizeof(struct connection_tuple) == 40, "the kernel's tuple");

/* Some of the helpers are for programs under a GPL-compatible licence. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
