//! A filter of 250 conditions stays within the compiler's limits.
use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: &str) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| {
        c.email == email
            && c.score != 0 && c.score != 1 && c.score != 2 && c.score != 3 && c.score != 4 && c.score != 5 && c.score != 6 && c.score != 7 && c.score != 8 && c.score != 9
            && c.score != 10 && c.score != 11 && c.score != 12 && c.score != 13 && c.score != 14 && c.score != 15 && c.score != 16 && c.score != 17 && c.score != 18 && c.score != 19
            && c.score != 20 && c.score != 21 && c.score != 22 && c.score != 23 && c.score != 24 && c.score != 25 && c.score != 26 && c.score != 27 && c.score != 28 && c.score != 29
            && c.score != 30 && c.score != 31 && c.score != 32 && c.score != 33 && c.score != 34 && c.score != 35 && c.score != 36 && c.score != 37 && c.score != 38 && c.score != 39
            && c.score != 40 && c.score != 41 && c.score != 42 && c.score != 43 && c.score != 44 && c.score != 45 && c.score != 46 && c.score != 47 && c.score != 48 && c.score != 49
            && c.score != 50 && c.score != 51 && c.score != 52 && c.score != 53 && c.score != 54 && c.score != 55 && c.score != 56 && c.score != 57 && c.score != 58 && c.score != 59
            && c.score != 60 && c.score != 61 && c.score != 62 && c.score != 63 && c.score != 64 && c.score != 65 && c.score != 66 && c.score != 67 && c.score != 68 && c.score != 69
            && c.score != 70 && c.score != 71 && c.score != 72 && c.score != 73 && c.score != 74 && c.score != 75 && c.score != 76 && c.score != 77 && c.score != 78 && c.score != 79
            && c.score != 80 && c.score != 81 && c.score != 82 && c.score != 83 && c.score != 84 && c.score != 85 && c.score != 86 && c.score != 87 && c.score != 88 && c.score != 89
            && c.score != 90 && c.score != 91 && c.score != 92 && c.score != 93 && c.score != 94 && c.score != 95 && c.score != 96 && c.score != 97 && c.score != 98 && c.score != 99
            && c.score != 100 && c.score != 101 && c.score != 102 && c.score != 103 && c.score != 104 && c.score != 105 && c.score != 106 && c.score != 107 && c.score != 108 && c.score != 109
            && c.score != 110 && c.score != 111 && c.score != 112 && c.score != 113 && c.score != 114 && c.score != 115 && c.score != 116 && c.score != 117 && c.score != 118 && c.score != 119
            && c.score != 120 && c.score != 121 && c.score != 122 && c.score != 123 && c.score != 124 && c.score != 125 && c.score != 126 && c.score != 127 && c.score != 128 && c.score != 129
            && c.score != 130 && c.score != 131 && c.score != 132 && c.score != 133 && c.score != 134 && c.score != 135 && c.score != 136 && c.score != 137 && c.score != 138 && c.score != 139
            && c.score != 140 && c.score != 141 && c.score != 142 && c.score != 143 && c.score != 144 && c.score != 145 && c.score != 146 && c.score != 147 && c.score != 148 && c.score != 149
            && c.score != 150 && c.score != 151 && c.score != 152 && c.score != 153 && c.score != 154 && c.score != 155 && c.score != 156 && c.score != 157 && c.score != 158 && c.score != 159
            && c.score != 160 && c.score != 161 && c.score != 162 && c.score != 163 && c.score != 164 && c.score != 165 && c.score != 166 && c.score != 167 && c.score != 168 && c.score != 169
            && c.score != 170 && c.score != 171 && c.score != 172 && c.score != 173 && c.score != 174 && c.score != 175 && c.score != 176 && c.score != 177 && c.score != 178 && c.score != 179
            && c.score != 180 && c.score != 181 && c.score != 182 && c.score != 183 && c.score != 184 && c.score != 185 && c.score != 186 && c.score != 187 && c.score != 188 && c.score != 189
            && c.score != 190 && c.score != 191 && c.score != 192 && c.score != 193 && c.score != 194 && c.score != 195 && c.score != 196 && c.score != 197 && c.score != 198 && c.score != 199
            && c.score != 200 && c.score != 201 && c.score != 202 && c.score != 203 && c.score != 204 && c.score != 205 && c.score != 206 && c.score != 207 && c.score != 208 && c.score != 209
            && c.score != 210 && c.score != 211 && c.score != 212 && c.score != 213 && c.score != 214 && c.score != 215 && c.score != 216 && c.score != 217 && c.score != 218 && c.score != 219
            && c.score != 220 && c.score != 221 && c.score != 222 && c.score != 223 && c.score != 224 && c.score != 225 && c.score != 226 && c.score != 227 && c.score != 228 && c.score != 229
            && c.score != 230 && c.score != 231 && c.score != 232 && c.score != 233 && c.score != 234 && c.score != 235 && c.score != 236 && c.score != 237 && c.score != 238 && c.score != 239
            && c.score != 240 && c.score != 241 && c.score != 242 && c.score != 243 && c.score != 244 && c.score != 245 && c.score != 246 && c.score != 247 && c.score != 248
    })
}

fn main() {
    assert_eq!(query("a").sql().matches(" AND ").count(), 250);
}
