/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The part of the kernel's interface that weir.bpf.c uses, and nothing more, so that a compiler is all it takes: no kernel
 * headers, no libbpf.
 *
 * What comes from include/uapi/linux/bpf.h (contexts, map types, flags, helper numbers) is stable and as it stands there.
 * The kernel's own structures carry only the fields that are read; `preserve_access_index` records each access, and the
 * loader puts in the offsets of the running kernel from its BTF (CO-RE).
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

/* ---- include/uapi/linux/bpf.h ---- */

enum { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_SK_STORAGE = 24, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_F_NO_PREALLOC = 1 << 0, BPF_F_CLONE = 1 << 9, BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_SK_STORAGE_GET_F_CREATE = 1, BPF_RB_NO_WAKEUP = 1 };

struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority;
	u32 src_ip4, src_ip6[4], src_port; /* port: host byte order */
	u16 dst_port, : 16;                /* network byte order */
	u32 dst_ip4, dst_ip6[4], state;
	int rx_queue_mapping;
};

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
	u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
	void *flow_keys __attribute__((aligned(8)));
	u64 tstamp;
	u32 wire_len, gso_segs;
	struct bpf_sock *sk __attribute__((aligned(8)));
};

struct bpf_sock_addr {
	u32 user_family, user_ip4, user_ip6[4], user_port, family, type, protocol, msg_src_ip4, msg_src_ip6[4];
	struct bpf_sock *sk __attribute__((aligned(8)));
};

struct file;
struct socket;
struct task_struct;
struct tcp_sock;

/* bpf-helpers(7); the numbers are those of ___BPF_FUNC_MAPPER */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 bytes) = (void *)26;
static u64 (*bpf_get_socket_cookie)(void *context) = (void *)46;
static struct bpf_sock *(*bpf_sk_fullsock)(struct bpf_sock *socket) = (void *)95;
static void *(*bpf_sk_storage_get)(void *map, void *socket, void *value, u64 flags) = (void *)107;
static long (*bpf_probe_read_user)(void *to, u32 bytes, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 bytes, const void *from) = (void *)113;
static long (*bpf_probe_read_kernel_str)(void *to, u32 bytes, const void *from) = (void *)115;
static u64 (*bpf_get_netns_cookie)(void *context) = (void *)122;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 bytes, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static struct tcp_sock *(*bpf_skc_to_tcp_sock)(void *socket) = (void *)137;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static struct socket *(*bpf_sock_from_file)(struct file *file) = (void *)162;

/* ---- the running kernel's own, by its BTF ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct qstr d_name;
	struct dentry *d_parent;
};
struct path {
	struct dentry *dentry;
};
struct file {
	struct path f_path;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

typedef struct {
	u32 val;
} kuid_t;
struct cred {
	kuid_t uid;
};
struct kernfs_node {
	u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	int tgid;
	u32 flags;
	void *stack;
	u64 start_boottime, self_exec_id;
	struct task_struct *group_leader, *real_parent;
	const struct cred *cred;
	struct css_set *cgroups;
	struct mm_struct *mm;
	char comm[16];
};

struct net {
	u64 net_cookie;
};
typedef struct {
	struct net *net;
} possible_net_t;
typedef struct {
	int owned;
} socket_lock_t;
struct sock_common {
	u16 skc_family;
	possible_net_t skc_net;
};
struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
};
struct inet_sock {
	struct sock sk;
};
struct inet_connection_sock {
	struct inet_sock icsk_inet;
};
struct tcp_sock {
	struct inet_connection_sock inet_conn;
};
struct socket {
	struct sock *sk;
};
struct net_device {
	u32 ifindex;
	u16 hard_header_len;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	u32 len, tail, end;     /* tail, end: offsets from head */
	u16 network_header;     /* likewise */
	u8 *head, *data;
	unsigned long _nfct;    /* struct nf_conn, its last bits aside; not there without CONFIG_NF_CONNTRACK */
};
struct skb_shared_info { /* lies at a buffer's end */
	void *destructor_arg;
};

struct bpf_iter_meta {
	void *seq;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Whether the running kernel's structure has the field. */
#define HAS(field) __builtin_preserve_field_info(field, 2)

/* include/net/netfilter/nf_conntrack_tuple.h: source and what is to be sent to, in the order in which they lie there. Read
 * by its place in struct nf_conn, which the loader finds: the structure may be a module's. */
struct connection_tuple {
	u32 source[4];
	u16 source_port, family;
	u32 destination[4];
	u16 destination_port; /* ICMP: type and code, and the identifier is the source's port */
	u8 protocol, is_reply;
};
#define NFCT_POINTER (~7ul)                    /* NFCT_PTRMASK of include/linux/skbuff.h */
/* include/uapi/linux/netfilter/nf_conntrack_common.h */
enum { NFCT_INFO = 7, IP_CT_IS_REPLY = 3 };    /* enum ip_conntrack_info: replies come last */
enum { TRANSLATED = 1 << 4 | 1 << 5 };         /* IPS_NAT_MASK */

enum { PF_KTHREAD = 0x200000 };           /* include/linux/sched.h */
enum { AF_INET = 2, AF_INET6 = 10, AF_PACKET = 17 }; /* include/linux/socket.h */
enum { TCP_LISTEN = 10 };                 /* include/net/tcp_states.h */
enum { SOCK_STREAM = 1, SOCK_RAW = 3 };   /* include/linux/net.h */
enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58, SCTP = 132, UDP_LITE = 136 };
